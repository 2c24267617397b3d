/** `image build`: makes a whole disk. */
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { partitionTypeGuid } from '../gpt/partition-type.ts';
import type { Guid } from '../guid.ts';
import { makeImage } from '../image/build-image.ts';
import { placeOutput, requireOutput } from '../image/output.ts';
import { type ImagePlan, planImage } from '../image/plan-image.ts';
import { readRepartDefinitions } from '../image/repart-definitions.ts';
import { type MadePartition, repartRows } from '../image/repart-rows.ts';
import { rootHashSigner } from '../image/root-hash-signer.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { startProgress } from '../terminal/progress.ts';
import { formatSize } from '../terminal/size.ts';
import { formatTable } from '../terminal/table.ts';
import { STEADY } from '../tree/contents.ts';
import { NO_SEED } from '../verity/seed.ts';
import { type BuildFlags, buildSchema } from './image-settings.ts';

const VERB = 'image build';

/** Makes an image, or with `--dry-run` tells what it would be. */
export async function imageBuild(
  { operands: [description], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const settings = readFlags(buildSchema, flags, VERB);
  const { output } = settings;
  if (output === undefined) throw misuse('expected --output, got none', VERB);
  if (description !== undefined || settings.definitions.length === 0) {
    throw misuse('expected --definitions, got none', VERB);
  }
  const plan = planImage(describe(settings, context), context.disk);
  const sign = signerFor(plan, settings, context);
  const needed = plan.partitions.reduce((sum, { filling }) => sum + filling.size, 0);
  requireOutput(output.path, { needed, isForced: settings.force }, context.disk);
  const progress = startProgress(json || verbosity !== 0);
  try {
    const made = await placeOutput(output.path, plan.size, context, (image) =>
      makeImage(plan, { disk: context.disk, image, say: progress.say, sign, fillLast }),
    );
    context.print(json ? asJson(made, output.given) : asTable(made));
  } finally {
    progress.stop();
  }
  return 0;
}

async function fillLast(): Promise<void> {}

function describe(settings: BuildFlags, { disk }: Context) {
  const { definitions, architecture = 'x86-64', seed = NO_SEED, size = 'auto' } = settings;
  const sectorSize = settings['sector-size'];
  return {
    partitions: readRepartDefinitions(definitions, { architecture }, disk),
    seed,
    size,
    sectorSize: sectorSize ?? 512,
    // As systemd-repart does: hash trees have blocks of a sector where somebody says how large it is.
    verityBlockSize: sectorSize ?? 4096,
    tree: STEADY,
    time: 0,
    deferred: new Set(settings.defer.map((type) => deferredType(type, architecture))),
  };
}

function deferredType(type: string, architecture: string): Guid {
  const guid = partitionTypeGuid(type, architecture);
  if (guid !== undefined) return guid;
  throw misuse(`--defer: expected a type of partitions, as esp, got ${JSON.stringify(type)}`, VERB);
}

function signerFor({ partitions }: ImagePlan, settings: BuildFlags, context: Context) {
  const { certificate, 'private-key': privateKey } = settings;
  if ((certificate === undefined) !== (privateKey === undefined)) {
    throw misuse('expected both --certificate and --private-key, got one', VERB);
  }
  if (certificate !== undefined && privateKey !== undefined) {
    const allowInsecureKey = settings['allow-insecure-key'];
    return rootHashSigner({ certificate, privateKey, allowInsecureKey }, context);
  }
  const signed = partitions.find(({ definition }) => definition.verity?.role === 'signature');
  if (signed === undefined) return undefined;
  throw new EspError(
    'CONFIG_INVALID',
    `${signed.definition.name}: a signature partition, and no key`,
    {
      hint: 'give --certificate and --private-key, or leave the partition out',
    },
  );
}

function asJson(made: readonly MadePartition[], image: string): string {
  return JSON.stringify(repartRows(made, image, false), undefined, '\t');
}

function asTable(made: readonly MadePartition[]): string {
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
