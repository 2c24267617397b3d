/** Inputs that kernel, stub or loader would not read as they are meant: refused where they mislead, else told. */
import type { Disk } from '../disk/disk.ts';
import { hasPrivateKey } from '../secureboot/private-key.ts';
import { parseOsRelease } from '../uki/os-release.ts';
import { type BuildSettings, splitSection } from './build-settings.ts';
import type { Inputs } from './inputs.ts';
import { misuse, secretIn } from './misuse.ts';

/** One text that goes into the image: the option it is from, its value, and the section it makes. */
interface Text {
  readonly flag: string;
  readonly value: string;
  readonly section: string;
  /** What messages call it. */
  readonly name: string;
}

/**
 * Checks what goes into an image, and returns what a person should know about it.
 * @throws {CONFIG_INVALID} for a NUL, UTF-16 or a private key in a text
 */
export function inputWarnings(
  settings: BuildSettings,
  inputs: Inputs,
  disk: Disk,
): readonly string[] {
  return [
    ...textsOf(settings).flatMap((text) => [
      ...pathWarnings(text, disk),
      ...textWarnings(text, inputs.text(text.flag, text.value)),
    ]),
    ...MAGIC.flatMap(({ flag, ...expected }) =>
      [settings[flag]]
        .flat()
        .flatMap((path) =>
          path === undefined ? [] : magicWarnings(flag, path, { ...expected, disk }),
        ),
    ),
  ];
}

function textsOf(settings: BuildSettings): readonly Text[] {
  const one = (flag: 'cmdline' | 'os-release' | 'profile', section: string): Text[] => {
    const value = settings[flag];
    return value ? [{ flag, value, section, name: flag }] : [];
  };
  return [
    ...one('cmdline', '.cmdline'),
    ...one('os-release', '.osrel'),
    ...one('profile', '.profile'),
    ...settings.section.flatMap((spec): Text[] => {
      const { name: section, value } = splitSection(spec);
      return value === '' ? [] : [{ flag: 'section', value, section, name: `section ${section}` }];
    }),
  ];
}

/** A path where a text is wanted was meant as `@` and that path. */
function pathWarnings({ name, value }: Text, disk: Disk): readonly string[] {
  const isPath = !value.startsWith('@') && value.includes('/') && !/\s/.test(value);
  if (!isPath || disk.stat(value)?.kind !== 'file') return [];
  return [
    `--${name}: ${value} is a file, and its path goes into the image: write @${value} for what is in it`,
  ];
}

/** Sections that are text to whoever reads them. */
const TEXTS = ['.cmdline', '.osrel', '.profile', '.uname', '.sbat', '.pcrpkey'];
const UTF_16 = [
  [0xff, 0xfe],
  [0xfe, 0xff],
];

function textWarnings({ name, section }: Text, bytes: Uint8Array): readonly string[] {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (hasPrivateKey(text)) {
    throw secretIn(name);
  }
  if (!TEXTS.includes(section)) return [];
  if (UTF_16.some((mark) => mark.every((byte, at) => bytes[at] === byte))) {
    throw misuse(`--${name}: expected UTF-8, got UTF-16: convert it with iconv -f UTF-16 -t UTF-8`);
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    throw misuse(
      `--${name}: expected text, got a NUL at byte ${nul}: what follows would not be read`,
    );
  }
  return [
    ...(text.startsWith('\ufeff')
      ? [`--${name}: begins with a byte order mark, which is taken for a part of its first word`]
      : []),
    ...(text.includes('\ufffd') ? [`--${name}: is not UTF-8 throughout`] : []),
    ...(section === '.cmdline' ? commentWarnings(name, text) : []),
    ...(section === '.osrel' ? nameWarnings(name, text) : []),
  ];
}

function commentWarnings(name: string, text: string): readonly string[] {
  const at = text.split('\n').findIndex((line) => /^\ufeff?\s*#/.test(line));
  if (at < 0) return [];
  return [
    `--${name}: line ${at + 1} begins with #: the kernel knows no comments, and takes its words for parameters`,
  ];
}

/** What systemd-boot shows an image by: without one of these it leaves the image out of its menu. */
const NAMES = ['PRETTY_NAME', 'IMAGE_ID', 'NAME', 'ID'];

function nameWarnings(name: string, text: string): readonly string[] {
  if (parseOsRelease(text).some(([key]) => NAMES.includes(key))) return [];
  return [`--${name}: has none of ${NAMES.join(', ')}: systemd-boot would not list the image`];
}

/** How the files begin that stub and kernel take, and what else is given for them. */
const MAGIC = [
  { flag: 'splash', magic: '424d', expected: 'a bitmap (BMP): the stub shows nothing else' },
  {
    flag: 'microcode',
    magic: '30373037',
    expected: 'an archive (cpio) that is not packed: the kernel unpacks no microcode',
  },
  { flag: 'devicetree', magic: 'd00dfeed', expected: 'a compiled device tree (dtb)' },
  { flag: 'devicetree-auto', magic: 'd00dfeed', expected: 'a compiled device tree (dtb)' },
] as const;

const KNOWN: readonly (readonly [magic: string, name: string])[] = [
  ['89504e47', 'PNG'],
  ['ffd8ff', 'JPEG'],
  ['1f8b', 'gzip'],
  ['28b52ffd', 'zstd'],
  ['fd377a58', 'xz'],
];

function magicWarnings(
  flag: string,
  path: string,
  { magic, expected, disk }: { magic: string; expected: string; disk: Disk },
): readonly string[] {
  if (disk.stat(path)?.kind !== 'file') return [];
  using file = disk.open(path);
  const start = Buffer.from(file.read(0, 4)).toString('hex');
  if (start.startsWith(magic)) return [];
  const got = KNOWN.find(([known]) => start.startsWith(known))?.[1];
  return [`--${flag} ${path}: expected ${expected}, got ${got ?? 'something else'}`];
}
