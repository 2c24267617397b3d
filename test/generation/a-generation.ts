/** Builds generations for tests: in memory, or on disk as Nix leaves them. State only the difference. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { base32, hash } from '../../src/digest.ts';
import { BOOTSPEC, type Bootspec, SPECIALISATIONS } from '../../src/generation/bootspec.ts';
import type { Generation } from '../../src/generation/generation.ts';

const SYSTEM = 'x86_64-linux';
const VERSION = '6.12.58';
const PARAMS = ['loglevel=4'];

/** 2026-11-20 00:00:00 UTC in seconds: when generations are built unless the test says otherwise. */
export const BUILT_AT = 1_795_132_800;

/** Returns a bootspec whose files need not exist. */
export function aBootspec(difference: Partial<Bootspec> = {}): Bootspec {
  const toplevel = difference.toplevel ?? storePath('/nix/store', 'nixos-system-test-26.05');
  return {
    system: SYSTEM,
    init: `${toplevel}/init`,
    kernel: `${storePath('/nix/store', `linux-${VERSION}`)}/bzImage`,
    kernelParams: PARAMS,
    label: `NixOS Yarara 26.05 (Linux ${VERSION})`,
    toplevel,
    initrd: `${storePath('/nix/store', `initrd-linux-${VERSION}`)}/initrd`,
    extensions: {},
    specialisations: new Map(),
    ...difference,
  };
}

/** Returns a generation whose files need not exist; its toplevel follows from profile and number. */
export function aGeneration(
  difference: Partial<Omit<Generation, 'bootspec'>> & { bootspec?: Partial<Bootspec> } = {},
): Generation {
  const { profile, number = 1, bootspec } = difference;
  const name = `nixos-system-${profile ?? 'test'}-${number}`;
  const toplevel = difference.toplevel ?? storePath('/nix/store', name);
  return {
    number,
    link: join('/nix/var/nix/profiles', linkName(profile, number)),
    builtAt: BUILT_AT,
    synthesised: false,
    ...difference,
    toplevel,
    bootspec: aBootspec({ toplevel, ...bootspec }),
  };
}

/** How a system on disk differs from a plain one with a kernel, an initrd and a `boot.json`. */
export interface ToplevelShape {
  /** Tells systems apart that are otherwise the same: equal shapes have one store path, as in Nix. */
  readonly tag?: string;
  readonly system?: string;
  /** The kernel's version. */
  readonly version?: string;
  /** The kernel's content. Equal version and content give one shared store path. */
  readonly kernel?: Uint8Array | string;
  /** The initrd's content, shared likewise; null for a system without one. */
  readonly initrd?: Uint8Array | string | null;
  readonly kernelParams?: readonly string[];
  readonly label?: string;
  /** The body of a shell script that is given the copy of the initrd as `$1`. */
  readonly secrets?: string;
  /** More top-level keys of `boot.json`. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** By name; each is as its parent but for what it states. */
  readonly specialisations?: Readonly<Record<string, ToplevelShape>>;
  /** `absent` for a system of before RFC 0125; any other text is written in place of the document. */
  readonly bootJson?: 'absent' | (string & {});
}

/** Returns an empty directory that is removed after the test: the root that a machine is made in. */
export function aRoot(t: Pick<TestContext, 'after'>): string {
  const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'espalier-test-')));
  // What a test started may still be writing while it is being ended.
  t.after(() => fs.rmSync(root, { recursive: true, force: true, maxRetries: 10 }));
  return root;
}

/** Writes a system into the store under `root`, with whatever it needs, and returns its path. */
export function aToplevel(root: string, shape: ToplevelShape = {}): string {
  return writeToplevel(root, shape).toplevel;
}

interface Written {
  readonly toplevel: string;
  readonly document: object;
}

function writeToplevel(root: string, shape: ToplevelShape): Written {
  const { specialisations = {}, ...inherited } = shape;
  const children = Object.entries(specialisations).map(([name, own]): [string, Written] => {
    const tag = `${shape.tag ?? 'test'}-${name}`;
    return [name, writeToplevel(root, { ...inherited, tag, ...own })];
  });
  const parts = writeParts(root, shape);
  const { kernel: _, initrd: __, ...rest } = inherited;
  const inputs = [rest, parts, children.map(([name, { toplevel }]) => [name, toplevel])];
  const name = `nixos-system-${shape.tag ?? 'test'}-26.05`;
  const toplevel = storePath(`${root}/nix/store`, name, inputs);
  const document = describe(shape, toplevel, parts, children);
  writeText(toplevel, shape, document);
  link(parts.kernel, join(toplevel, 'kernel'));
  if (parts.initrd) link(parts.initrd, join(toplevel, 'initrd'));
  if (parts.initrdSecrets) link(parts.initrdSecrets, join(toplevel, 'append-initrd-secrets'));
  for (const [name, child] of children)
    link(child.toplevel, join(toplevel, 'specialisation', name));
  return { toplevel, document };
}

function describe(
  shape: ToplevelShape,
  toplevel: string,
  parts: Parts,
  children: readonly [string, Written][],
): object {
  return {
    [BOOTSPEC]: {
      system: shape.system ?? SYSTEM,
      init: `${toplevel}/init`,
      kernelParams: shape.kernelParams ?? PARAMS,
      label: shape.label ?? `NixOS Yarara 26.05 (Linux ${shape.version ?? VERSION})`,
      toplevel,
      ...parts,
    },
    [SPECIALISATIONS]: Object.fromEntries(children.map(([name, child]) => [name, child.document])),
    ...shape.extensions,
  };
}

function writeText(toplevel: string, shape: ToplevelShape, document: object): void {
  const { version = VERSION, bootJson = JSON.stringify(document, undefined, 2) } = shape;
  const files = {
    init: '#!/bin/sh\n',
    system: shape.system ?? SYSTEM,
    'nixos-version': '26.05.20261118.9f3c1de',
    'kernel-params': (shape.kernelParams ?? PARAMS).join(' '),
    [`kernel-modules/lib/modules/${version}/modules.order`]: 'kernel/fs/fat/vfat.ko\n',
    ...(bootJson !== 'absent' && { 'boot.json': bootJson }),
  };
  for (const [name, content] of Object.entries(files)) write(join(toplevel, name), content);
}

interface Parts {
  readonly kernel: string;
  readonly initrd?: string;
  readonly initrdSecrets?: string;
}

function writeParts(root: string, shape: ToplevelShape): Parts {
  const { version = VERSION, system = SYSTEM, secrets } = shape;
  const { kernel = `kernel ${version} ${system}\n`, initrd = `initrd ${version} ${system}\n` } =
    shape;
  const put = (name: string, file: string, content: Uint8Array | string, mode?: number): string => {
    const path = join(storePath(`${root}/nix/store`, name, hash(content)), file);
    return write(path, content, mode);
  };
  const image = system.startsWith('x86_64') ? 'bzImage' : 'Image';
  return {
    kernel: put(`linux-${version}`, image, kernel),
    ...(initrd !== null && { initrd: put(`initrd-linux-${version}`, 'initrd', initrd) }),
    ...(secrets !== undefined && {
      initrdSecrets: put('append-initrd-secrets', 'append', `#!/bin/sh\n${secrets}\n`, 0o555),
    }),
  };
}

/** A generation on disk: its link, and the system that the link leads to. */
export interface GenerationShape extends ToplevelShape {
  /** By default the place among the generations of its profile, from 1. */
  readonly number?: number;
  readonly profile?: string;
  /** In seconds since the epoch; by default one day after another. */
  readonly builtAt?: number;
  /** Where the link leads instead of to a system of this shape. */
  readonly toplevel?: string;
}

/**
 * Writes profiles under `root` and returns their directory. Each profile leads to the last of its
 * generations. Unless they state a `tag`, generations are different systems. May be called again
 * with a longer list, as a machine gets another generation.
 */
export function aProfiles(root: string, generations: readonly GenerationShape[]): string {
  const profiles = join(root, 'nix/var/nix/profiles');
  fs.mkdirSync(profiles, { recursive: true });
  const counts = new Map<string | undefined, number>();
  for (const { number, profile, builtAt, toplevel, ...shape } of generations) {
    const count = number ?? (counts.get(profile) ?? 0) + 1;
    counts.set(profile, count);
    const path = join(profiles, linkName(profile, count));
    link(toplevel ?? aToplevel(root, { tag: `${profile ?? 'system'}-${count}`, ...shape }), path);
    const time = builtAt ?? BUILT_AT + (count - 1) * 86_400;
    fs.lutimesSync(path, time, time);
    link(`${profile ?? 'system'}-${count}-link`, path.replace(/-[0-9]+-link$/, ''));
  }
  return profiles;
}

function linkName(profile: string | undefined, number: number): string {
  return profile === undefined
    ? `system-${number}-link`
    : `system-profiles/${profile}-${number}-link`;
}

/** The digits that Nix knows, in the order of those of RFC 4648. */
const NIX_DIGITS = '0123456789abcdfghijklmnpqrsvwxyz';

/** A path as Nix forms it: the hash follows from the name and from what goes in. */
function storePath(store: string, name: string, inputs: unknown = ''): string {
  const digest = base32(hash(JSON.stringify([name, inputs]))).slice(0, 32);
  const digits = digest.replace(/./g, (digit) =>
    NIX_DIGITS.charAt('abcdefghijklmnopqrstuvwxyz234567'.indexOf(digit)),
  );
  return `${store}/${digits}-${name.replace(/[^0-9A-Za-z+._?=-]/g, '-')}`;
}

/** Writes a file of the store, once. */
function write(path: string, content: Uint8Array | string, mode = 0o644): string {
  fs.mkdirSync(dirname(path), { recursive: true });
  if (!fs.existsSync(path)) fs.writeFileSync(path, content, { mode });
  return path;
}

function link(target: string, path: string): void {
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.rmSync(path, { force: true });
  fs.symlinkSync(target, path);
}
