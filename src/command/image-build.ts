/** `image build`: makes a whole disk. */

import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { finalUuid } from '../image/build-image.ts';
import { FILES_ALONE } from '../image/esp-description.ts';
import type { ImageJob } from '../image/image-job.ts';
import type { ImagePlan } from '../image/plan-image.ts';
import { readRepartDefinitions } from '../image/repart-definitions.ts';
import { type MadePartition, repartRows } from '../image/repart-rows.ts';
import { planJob, type RunMeans, runJob } from '../image/run-job.ts';
import { readDescription } from '../image/toml-description.ts';
import { deferredTypes, tomlJob } from '../image/toml-job.ts';
import type { WantedVariables } from '../image/toml-variables.ts';
import type { Text } from '../process/styled-text.ts';
import { formatSize } from '../quantity.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import type { SignerFiles } from '../signer/pem.ts';
import { formatTable } from '../terminal/table.ts';
import { STEADY } from '../tree/contents.ts';
import { NO_SEED } from '../verity/seed.ts';
import { makeWith } from './image-means.ts';
import { type BuildFlags, buildSchema, type JobFlags } from './image-settings.ts';

const VERB = 'image build';

/** Makes an image, or with `--dry-run` tells what it would be. */
export async function imageBuild(
  { operands: [description], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const settings = readFlags(buildSchema, flags, VERB);
  if (description === undefined && settings.definitions.length === 0) {
    throw misuse('expected DESCRIPTION or --definitions, got neither', VERB);
  }
  const { job, output: described } = await readJob(description, settings, context);
  const output = settings.output ?? described;
  if (output === undefined) throw misuse('expected --output, got none', VERB);
  requireOther(output, description, context);
  return makeWith(verbosity, context, async (means) => {
    const made = await makeOrPlan(job, output, settings, means);
    return json ? asJson(made, output.given, job.isSplit) : asTable(made);
  });
}

/** With --force the description would be gone. @throws {CONFIG_INVALID} */
function requireOther({ given, path }: Output, description: string | undefined, context: Context) {
  if (description === undefined) return;
  const { disk } = context;
  if (disk.realPath(path) !== disk.realPath(resolve(description))) return;
  throw new EspError('CONFIG_INVALID', `--output: ${given} is the description of the image`, {
    hint: 'name another file for the image',
  });
}

/** Where an image goes: as somebody wrote it, and as a whole path. */
interface Output {
  readonly given: string;
  readonly path: string;
}

/**
 * Reads what is to be made: a description in TOML, definitions of systemd-repart, or neither. `output`
 * is what the description says.
 * @throws {CONFIG_INVALID}
 */
export async function readJob(
  description: string | undefined,
  settings: JobFlags,
  context: Context,
): Promise<{ readonly job: ImageJob; readonly output?: Output }> {
  if (description !== undefined && settings.definitions.length > 0) {
    throw misuse('expected DESCRIPTION or --definitions, got both', VERB);
  }
  if (description === undefined) return { job: repartJob(settings, context) };
  const read = await readDescription(resolve(description), context.disk);
  const { output: named } = read.values;
  const job = tomlJob(read, { ...settings, ...common(settings) }, context.disk);
  if (named === undefined) return { job };
  return { job, output: { given: named, path: resolve(read.directory, named) } };
}

function common(settings: JobFlags) {
  return {
    key: keyOf(settings),
    allowInsecureKey: settings['allow-insecure-key'],
    isSplit: settings.split,
    deferred: settings.defer,
    sectorSize: settings['sector-size'],
    variables: variablesFrom(settings),
  };
}

function repartJob(settings: JobFlags, { disk }: Context): ImageJob {
  const { definitions, architecture = 'x86-64', seed = NO_SEED, size = 'auto' } = settings;
  const { key, isSplit, deferred, sectorSize, variables } = common(settings);
  return {
    disk: {
      kind: 'partitions',
      partitions:
        definitions.length === 0 ? [] : readRepartDefinitions(definitions, { architecture }, disk),
      ...{ seed, size },
      sectorSize: sectorSize ?? 512,
      // systemd-repart makes hash trees of sectors where somebody says how large one is.
      verityBlockSize: sectorSize ?? 4096,
      deferred: deferredTypes(deferred, architecture),
    },
    ...{ tree: STEADY, time: 0, architecture, esp: FILES_ALONE, key, isSplit, variables },
    format: settings.format,
  };
}

function variablesFrom({
  'efi-vars': output,
  firmware: template,
  keys,
}: JobFlags): WantedVariables | undefined {
  if (output === undefined && template === undefined && keys === undefined) return undefined;
  if (output === undefined || template === undefined) {
    throw misuse('expected both --efi-vars and --firmware, got one', VERB);
  }
  return { template, output, keys, microsoft: [], certificates: [], boot: [] };
}

function keyOf(settings: JobFlags): SignerFiles | undefined {
  const { certificate, 'private-key': privateKey } = settings;
  if ((certificate === undefined) !== (privateKey === undefined)) {
    throw misuse('expected both --certificate and --private-key, got one', VERB);
  }
  if (certificate === undefined || privateKey === undefined) return undefined;
  return { certificate, privateKey, allowInsecureKey: settings['allow-insecure-key'] };
}

async function makeOrPlan(
  job: ImageJob,
  output: Output,
  settings: BuildFlags,
  means: RunMeans,
): Promise<readonly MadePartition[]> {
  const destination = { ...output, isForced: settings.force };
  if (settings['dry-run']) return asPlanned(await planJob(job, output.path, means));
  return (await runJob(job, destination, means)).made;
}

/** A root hash that nobody has computed yet. */
const UNKNOWN = 'TBD';

function asPlanned({ partitions }: ImagePlan): readonly MadePartition[] {
  return partitions.map(({ definition, label, uuid, place }) => ({
    ...{ definition, label, place, uuid: finalUuid(definition, uuid, undefined) },
    rootHash: definition.verity === undefined ? undefined : UNKNOWN,
  }));
}

function asJson(made: readonly MadePartition[], image: string, isSplit: boolean): string {
  return JSON.stringify(repartRows(made, image, isSplit), undefined, '\t');
}

function asTable(made: readonly MadePartition[]): Text {
  const rows = made.map(({ definition, label, uuid, place, rootHash }, index) => [
    `${index + 1}`,
    label,
    definition.format ?? '-',
    formatSize(place.size),
    uuid,
    definition.verity?.role === 'data' ? (rootHash ?? '-') : '',
  ]);
  return formatTable(['', 'label', 'format', 'size', 'uuid', 'root hash'], rows);
}
