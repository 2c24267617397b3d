/** `uki verify`: tells whether an image names exactly the file systems that systemd-repart made. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { readInput } from '../process/standard-input.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { misuse } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import {
  type BootProfile,
  bootProfiles,
  inspectedImage,
  reportedProfiles,
} from '../uki/boot-profile.ts';
import { inspectSections, ukiReport } from '../uki/inspect.ts';
import { comparePartitions, compareRootHashes, describeMismatch } from '../uki/verity-match.ts';
import { rootHashesOnCmdline } from '../verity/cmdline.ts';
import { parseDocument } from '../verity/document.ts';
import { misnamedPartitions, rootHashesOfRepart } from '../verity/repart-output.ts';
import { hashChunks } from './uki-inspect.ts';

/** The operand that means: standard input holds the output of `ukify --json=short inspect`. */
const INPUT = '-';
/** The longest JSON that is read. In bytes. */
const TEXT_LIMIT = 16 * 1024 * 1024;
/** Exit status when something does not match. */
const MISMATCH = 1;

/** Compares an image with the output of systemd-repart; without that, lists its signatures. */
export async function ukiVerify(
  { operands: [image = ''], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, print } = context;
  if (flags['repart'] === undefined && image !== INPUT) {
    const { verifyFiles } = await import('./verify-files.ts');
    const { certificate } = flags;
    const named = typeof certificate === 'string' ? certificate : undefined;
    return verifyFiles([image], { verb: 'uki verify', certificate: named, json }, context);
  }
  const files = repartFiles(flags);
  const runs = files.map((name) => ({
    name,
    text: new TextDecoder().decode(disk.read(resolve(name), TEXT_LIMIT)),
  }));
  const partitions = rootHashesOfRepart(runs);
  const profiles = image === INPUT ? await profilesOnInput() : profilesIn(image, disk);
  const mismatches = [
    ...compareRootHashes(profiles, partitions),
    ...comparePartitions(profiles, misnamedPartitions(runs)),
  ];
  if (json) {
    const named = profiles.map(({ name, cmdline }) => ({
      name,
      rootHashes: rootHashesOnCmdline(cmdline ?? ''),
    }));
    const found = { image, repart: files, profiles: named, partitions, mismatches };
    print(JSON.stringify({ version: 1, verb: 'uki verify', ...found }, undefined, 2));
  } else if (mismatches.length === 0) {
    print(`${image}: boots the file systems of ${files.join(', ')}`);
  } else {
    for (const mismatch of mismatches) print(`${image}: ${describeMismatch(mismatch)}`);
  }
  return mismatches.length === 0 ? 0 : MISMATCH;
}

function repartFiles({ repart }: RawSettings): readonly string[] {
  if (Array.isArray(repart)) return repart;
  throw misuse('--repart: expected the output of systemd-repart --json, got none', 'uki verify');
}

async function profilesOnInput(): Promise<readonly BootProfile[]> {
  const text = new TextDecoder().decode(await readInput(TEXT_LIMIT));
  return bootProfiles(parseDocument(inspectedImage, text, 'standard input'));
}

function profilesIn(image: string, disk: Context['disk']): readonly BootProfile[] {
  using source = disk.open(resolve(image));
  const shown = (name: string) => name === '.cmdline' || name === '.profile';
  const sections = inspectSections(source, hashChunks, { name: image, shown });
  return reportedProfiles(ukiReport(sections));
}
