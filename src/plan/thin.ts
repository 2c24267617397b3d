/** The thin image of a generation, and the files that it names. Pure. */
import { type Digest, digestBytes, hash } from '../digest.ts';
import { firmwarePath, SIGNER_SECTION, thinId } from '../esp/thin.ts';
import type { SectionContent } from './step.ts';
import {
  describingSections,
  type ImageSettings,
  type Resolved,
  textSection,
  type WantedEntry,
  type WantedFile,
  wantBlob,
  wantImage,
} from './wanted.ts';

/**
 * An archive with nothing in it (Linux, buffer format §newc): only its trailer, filled up to four
 * bytes. The stub starts no kernel without an initrd, and to the kernel this one is the same as none.
 */
const EMPTY_ARCHIVE = `070701${'0'.repeat(32)}00000001${'0'.repeat(48)}0000000b${'0'.repeat(8)}TRAILER!!!\0\0\0\0`;
const NO_INITRD = { path: '', size: EMPTY_ARCHIVE.length, digest: hash(EMPTY_ARCHIVE) };

/** Where a bootspec gives no sort key. An image of lanzaboote's that stays beside ours must not sort before them. */
const DEFAULT_SORT_KEY = 'lanzaboote';

/**
 * Returns the thin image of a generation or specialisation. Kernel and initrd are stored as they are
 * and under the names that lanzaboote gives them: the stub checks their digests, not their signatures.
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
  const digest = thinId(sections, image.fingerprint);
  return wantImage(token, resolved, image, {
    kind: 'thin',
    sections,
    digest,
    blobs: [linux, archive],
  });
}

function wantInitrd(token: string, { bootspec, initrd }: Resolved): WantedFile {
  const file = wantBlob(token, bootspec, 'initrd', initrd ?? NO_INITRD);
  return initrd ? file : { ...file, content: { kind: 'text', text: EMPTY_ARCHIVE } };
}

/** Returns a section that holds the digest of a file. */
function digestSection(name: string, digest: Digest): SectionContent {
  const bytes = digestBytes(digest);
  return { name, digest: hash(bytes), size: bytes.length, content: { kind: 'digest', digest } };
}
