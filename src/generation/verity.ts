/**
 * The file systems that protect a generation, besides those in its kernel parameters. They are in
 * the bootspec extension `org.espalier.verity.v1`, or in the same document as `verity.json` in the
 * toplevel.
 */
import * as v from 'valibot';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { DESIGNATORS } from '../gpt/partition-type.ts';
import { missingWords, verityWords } from '../verity/cmdline.ts';
import { isRootHash } from '../verity/root-hash.ts';
import { type Bootspec, record } from './bootspec.ts';
import { parseJson } from './bounded-json.ts';
import { malformed } from './complaint.ts';

export const VERITY = 'org.espalier.verity.v1';
const FILE = 'verity.json';
/** In bytes. A real document has a few hundred. */
const LIMIT = 64 * 1024;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Unknown keys are refused: ignoring one could remove the protection that it asks for. */
const device = v.strictObject({
  rootHash: v.pipe(v.string(), v.check(isRootHash, 'a root hash in hexadecimal')),
  data: v.exactOptional(v.string()),
  hash: v.exactOptional(v.string()),
  hashOffset: v.exactOptional(count),
  dataBlocks: v.exactOptional(count),
  onCorruption: v.exactOptional(v.picklist(['ignore', 'restart', 'panic'])),
  ignoreZeroBlocks: v.exactOptional(v.boolean()),
  checkAtMostOnce: v.exactOptional(v.boolean()),
  rootHashSignature: v.exactOptional(v.string()),
  options: v.exactOptional(v.array(v.string())),
});
const devices = v.strictObject({ root: v.exactOptional(device), usr: v.exactOptional(device) });
const schema = v.pipe(record, devices);

/**
 * Returns a bootspec whose kernel parameters name the declared root hashes.
 * @param toplevel the directory of `verity.json`
 * @throws {BOOTSPEC_MALFORMED} when the document is malformed, or contradicts the parameters
 */
export function withVerity(bootspec: Bootspec, toplevel: string, disk: Disk): Bootspec {
  const file = `${toplevel}/${FILE}`;
  const documents = [
    { name: toplevel, path: [VERITY], document: bootspec.extensions[VERITY] },
    { name: file, path: [], document: disk.stat(file) && readFile(disk, file) },
  ];
  let { kernelParams } = bootspec;
  for (const { name, path, document } of documents) {
    if (document === undefined) continue;
    kernelParams = [...kernelParams, ...wordsOf(document, { file: name, path }, kernelParams)];
  }
  return { ...bootspec, kernelParams };
}

function readFile(disk: Disk, file: string): unknown {
  return parseJson(new TextDecoder().decode(disk.read(file, LIMIT)), file);
}

function wordsOf(
  document: unknown,
  place: { readonly file: string; readonly path: readonly string[] },
  parameters: readonly string[],
): readonly string[] {
  const result = v.safeParse(schema, document, { abortEarly: true });
  if (!result.success) throw malformed(result.issues[0], place);
  const cmdline = parameters.join(' ');
  try {
    return DESIGNATORS.flatMap((designator) => {
      const said = result.output[designator];
      if (said === undefined) return [];
      const { options: others = [], ...given } = said;
      return missingWords(cmdline, verityWords({ ...given, designator, others }));
    });
  } catch (cause) {
    if (!(cause instanceof EspError)) throw cause;
    const where = [place.file, ...place.path].join(': ');
    throw new EspError('BOOTSPEC_MALFORMED', `${where}: ${cause.message}`, { cause });
  }
}
