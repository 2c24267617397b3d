/** Thin images: a stub that names kernel and initrd on the ESP by path and digest. Pure. */
import { hash } from '../../digest.ts';
import { firmwarePath, SIGNER_SECTION } from '../../esp/thin.ts';
import { digestSection, textSection } from '../section.ts';
import type { SectionContent } from '../step.ts';
import type { ImageSettings, Resolved, WantedEntry, WantedFile } from '../wanted.ts';
import { wantBlob } from './blob.ts';
import type { Format } from './format.ts';
import { describingSections, imageEntry } from './image-entry.ts';

export const THIN = {
  signsKernels: false,
  tellsRelease: false,
  takesEspInitrds: false,
  takesAddons: false,
  lacksPolicies: 'the stub of lanzaboote hands none on to the initrd',
  isOneFile: false,
  stub: {
    mustBeNamed: { hint: 'name the stub of lanzaboote with --stub' },
    // systemd's stub would take the path in `.linux` for a kernel.
    unfit: {
      section: '.sdmagic',
      text: 'systemd-stub',
      because: "is systemd's stub, which does not know thin images: none of them would start",
    },
  },
  // The stub converts the command line to firmware's encoding, and starts nothing when it cannot.
  unreadable: { characters: /[\0\u{10000}-\u{10ffff}]/u, by: 'the stub of a thin image' },
  want: wantThin,
} as const satisfies Format;

/**
 * An empty archive (Linux, buffer format §newc): a trailer, filled up to four bytes. The stub
 * starts no kernel without an initrd, and to the kernel this archive equals none.
 */
const EMPTY_ARCHIVE = `070701${'0'.repeat(32)}00000001${'0'.repeat(48)}0000000b${'0'.repeat(8)}TRAILER!!!\0\0\0\0`;
const NO_INITRD = { path: '', size: EMPTY_ARCHIVE.length, digest: hash(EMPTY_ARCHIVE) };

/**
 * The sort key for a bootspec without one. Remaining images of lanzaboote must not sort before
 * ours.
 */
const DEFAULT_SORT_KEY = 'lanzaboote';

/**
 * Returns the thin image of a generation or specialisation. Kernel and initrd are stored unchanged,
 * under lanzaboote's names for them: the stub checks their digests, and not their signatures.
 */
export function wantThin(token: string, given: Resolved, image: ImageSettings): WantedEntry {
  const { kernel, initrd = NO_INITRD } = given;
  const bootspec = { ...given.bootspec, sortKey: given.bootspec.sortKey ?? DEFAULT_SORT_KEY };
  const resolved = { ...given, bootspec };
  const linux = wantBlob(token, bootspec, 'kernel', kernel);
  const archive = wantInitrd(token, resolved);
  const sections: readonly SectionContent[] = [
    ...describingSections(resolved),
    textSection('.initrd', firmwarePath(archive.path)),
    textSection('.linux', firmwarePath(linux.path)),
    digestSection('.initrdh', initrd.digest),
    digestSection('.linuxh', kernel.digest),
    textSection(SIGNER_SECTION, image.fingerprint),
  ];
  return imageEntry(token, resolved, image, { kind: 'thin', sections, blobs: [linux, archive] });
}

function wantInitrd(token: string, { bootspec, initrd }: Resolved): WantedFile {
  const file = wantBlob(token, bootspec, 'initrd', initrd ?? NO_INITRD);
  return initrd ? file : { ...file, content: { kind: 'text', text: EMPTY_ARCHIVE } };
}
