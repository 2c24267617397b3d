/** `uki inspect`: prints what an image carries, as `ukify inspect` does. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { type Digest, digestOf } from '../digest.ts';
import type { Invocation } from '../settings/invocation.ts';
import { formatSections, inspectSections, ukiReport } from '../uki/inspect.ts';

/** Prints what an image carries. */
export async function ukiInspect(
  { operands: [image = ''], flags, json }: Invocation,
  { disk, print }: Context,
): Promise<number> {
  using source = disk.open(resolve(image));
  const all = flags['all'] === true ? { shown: () => true } : {};
  const sections = inspectSections(source, hashChunks, { name: image, ...all });
  print(json ? JSON.stringify(ukiReport(sections), undefined, 2) : formatSections(sections));
  return 0;
}

/** Returns the digest of a section's bytes. */
export function hashChunks(chunks: Iterable<Uint8Array>): Digest {
  const sha256 = createHash('sha256');
  for (const chunk of chunks) sha256.update(chunk);
  return digestOf(sha256.digest());
}
