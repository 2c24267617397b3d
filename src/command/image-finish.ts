/** `image finish`: puts the image that boots a disk onto the ESP of one that was made without it. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { finishImage, requireMatch, rootHashesOf } from '../image/finish-image.ts';
import { claimOutput } from '../image/output.ts';
import { repartRows } from '../image/repart-rows.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { reportedProfiles } from '../uki/boot-profile.ts';
import { inspectSections, ukiReport } from '../uki/inspect.ts';
import type { RootHash } from '../verity/root-hash.ts';
import { readJob } from './image-build.ts';
import { makeWith } from './image-means.ts';
import { finishSchema } from './image-settings.ts';
import { hashChunks } from './uki-inspect.ts';

const VERB = 'image finish';

/**
 * Checks that UKI boots the very file systems of IMAGE, and fills the ESP.
 * @throws {IMAGE_MISMATCH} when it does not; nothing is written then
 */
export async function imageFinish(
  { operands: [imageGiven = '', ukiGiven = ''], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const settings = readFlags(finishSchema, flags, VERB);
  const [image, uki] = [resolve(imageGiven), resolve(ukiGiven)];
  const rootHashes = await matching(image, uki, context);
  const output = settings.output ?? { given: imageGiven, path: image };
  const isForced = settings.force || output.path === image;
  using _claim = await claimOutput(output.path, { verb: VERB, isForced }, context);
  const { job } = await readJob(settings.description, settings, context);
  const placed = { source: uki, path: settings['uki-path'] };
  const finishing = { image, output: output.path, uki: placed, job, rootHashes };
  return makeWith(verbosity, context, async (means) => {
    const { made, path } = await finishImage(finishing, means);
    return json
      ? JSON.stringify(repartRows(made, output.given, false), undefined, '\t')
      : `${output.given}: boots by ${path}`;
  });
}

/** Returns the root hashes of an image. @throws {IMAGE_MISMATCH} when an image names others */
async function matching(
  image: string,
  uki: string,
  { disk }: Context,
): Promise<readonly RootHash[]> {
  using file = disk.open(image);
  using source = disk.open(uki);
  const shown = (name: string) => name === '.cmdline' || name === '.profile';
  const sections = inspectSections(source, hashChunks, { name: uki, shown });
  const profiles = reportedProfiles(ukiReport(sections));
  const rootHashes = await rootHashesOf(file, image, profiles);
  requireMatch(profiles, rootHashes, { uki, image });
  return rootHashes;
}
