/** `uki inspect`: what an image carries, as `ukify inspect` tells it, and what is wrong with it. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { type Digest, digestOf } from '../digest.ts';
import { EXIT_WARNINGS } from '../error.ts';
import { parsePe } from '../pe/pe.ts';
import { sectionFindings } from '../pe/section-findings.ts';
import type { Invocation } from '../settings/invocation.ts';
import { contentFindings, formatSections, inspectSections, ukiReport } from '../uki/inspect.ts';

/** Prints what an image carries; the exit status tells whether something is wrong with its sections. */
export async function ukiInspect(
  { operands: [image = ''], flags, json }: Invocation,
  { disk, print }: Context,
): Promise<number> {
  using source = disk.open(resolve(image));
  const all = flags['all'] === true ? { shown: () => true } : {};
  const sections = inspectSections(source, hashChunks, { name: image, ...all });
  const findings = [...sectionFindings(parsePe(source, image)), ...contentFindings(sections)];
  const report = { ...ukiReport(sections), ...(findings.length > 0 && { _findings: findings }) };
  const lines = [formatSections(sections), ...findings.map((finding) => `finding: ${finding}`)];
  print(json ? JSON.stringify(report, undefined, 2) : lines.join('\n'));
  return findings.length > 0 ? EXIT_WARNINGS : 0;
}

/** Returns the digest of a section's bytes. */
export function hashChunks(chunks: Iterable<Uint8Array>): Digest {
  const sha256 = createHash('sha256');
  for (const chunk of chunks) sha256.update(chunk);
  return digestOf(sha256.digest());
}
