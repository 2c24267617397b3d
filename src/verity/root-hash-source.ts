/** Reads root hashes from any kind of source, recognised by its content. */
import { withoutPadding } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { parseHeader } from './header-text.ts';
import {
  type Misnamed,
  misnamedPartitions,
  type NamedText,
  rootHashesOfRepart,
} from './repart-output.ts';
import { isRootHash, type RootHash } from './root-hash.ts';
import { parseSignatureDocument } from './signature-document.ts';

/** A source, and the name of its file or origin. */
export interface Source {
  readonly name: string;
  readonly content: Uint8Array;
}

/** One of the forms in which a root hash is written. */
interface Form {
  readonly matches: (text: string) => boolean;
  readonly read: (source: NamedText) => readonly RootHash[];
}

const FORMS: readonly Form[] = [
  // A file that `--root-hash-file` wrote, or the text itself.
  { matches: isRootHash, read: ({ text }) => [unknown(text)] },
  // A verity signature partition.
  {
    matches: (text) => text.startsWith('{'),
    read: ({ text, name }) => [unknown(parseSignatureDocument(text, name).rootHash)],
  },
  { matches: (text) => text.startsWith('VERITY header information'), read: readHeader },
];

const unknown = (hex: string): RootHash => ({ hex: hex.toLowerCase(), designator: 'unknown' });

function readHeader({ name, text }: NamedText): readonly RootHash[] {
  const { rootHash, superblock } = parseHeader(text);
  if (rootHash !== undefined) return [{ ...unknown(rootHash), ...(superblock && { superblock }) }];
  throw new EspError('VERITY_MALFORMED', `${name}: expected a root hash, got a header without`, {
    hint: 'what veritysetup format prints has it, what veritysetup dump prints has not',
  });
}

/** repart prints an array. Several are runs on the same image. */
const isRepart = ({ text }: NamedText): boolean => text.startsWith('[');

/**
 * Returns the root hashes in sources: output of systemd-repart, output of veritysetup, signature
 * documents, and plain hexadecimal.
 * @throws {VERITY_MALFORMED} naming the source that is none of these
 */
export function rootHashesIn(sources: readonly Source[]): readonly RootHash[] {
  const texts = sources.map(({ name, content }) => ({ name, text: textOf(content) }));
  return [
    ...rootHashesOfRepart(texts.filter(isRepart)),
    ...texts.filter((source) => !isRepart(source)).flatMap(readOne),
  ];
}

/** Returns the partitions in those of the sources that are output of systemd-repart which nothing finds by their root hash. */
export function misnamedIn(sources: readonly Source[]): readonly Misnamed[] {
  const texts = sources.map(({ name, content }) => ({ name, text: textOf(content) }));
  return misnamedPartitions(texts.filter(isRepart));
}

function readOne(source: NamedText): readonly RootHash[] {
  const form = FORMS.find(({ matches }) => matches(source.text));
  if (form !== undefined) return form.read(source);
  throw new EspError(
    'VERITY_MALFORMED',
    `${source.name}: expected a root hash, output of systemd-repart --json or veritysetup format, or a signature document`,
  );
}

/** Removes the zeros that pad a partition, and the line end of a file. */
function textOf(content: Uint8Array): string {
  return new TextDecoder().decode(withoutPadding(content)).trim();
}
