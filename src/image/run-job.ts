/** Carries out the making of an image: plans, looks at the output, writes, and gives it its name. */
import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { requireTrusted } from '../esp/untrusted-source.ts';
import type { Workshop } from '../filesystem/request.ts';
import { type Signer, unsigned } from '../signer/signer.ts';
import { keySigner } from '../survey/signer-of.ts';
import type { Log } from '../terminal/log.ts';
import { makeImage } from './build-image.ts';
import { type OutputForm, outputForm, writeOutput } from './convert-image.ts';
import { type EspFilling, fillFats, isFilledEsp, isFilledXbootldr } from './fill-esp.ts';
import type { ImageJob } from './image-job.ts';
import { makeVariableFile, requireVariables } from './make-variable-file.ts';
import { planNixpkgs } from './nixpkgs-plan.ts';
import { claimOutput, placeOutput, requireOutput, scratchPath } from './output.ts';
import { type ImagePlan, planImage } from './plan-image.ts';
import type { MadePartition } from './repart-rows.ts';
import { rootHashSigner } from './root-hash-signer.ts';
import { type Splitting, splitFor, splitImage } from './split.ts';

const VERB = 'image build';

/** What a run is given besides the job. */
export interface RunMeans {
  readonly context: Context;
  readonly log: () => Promise<Log>;
  readonly warn: (warning: string) => void;
}

/** Where an image goes: as somebody wrote it, and as a whole path. */
export interface Destination {
  readonly given: string;
  readonly path: string;
  readonly isForced: boolean;
}

/** An image that was made, or would be. */
export interface Outcome {
  readonly plan: ImagePlan;
  readonly made: readonly MadePartition[];
}

/**
 * Makes an image.
 * @throws {IMAGE_EXISTS} {IMAGE_FULL} {CONFIG_INVALID} {TOOL_MISSING} before anything is written
 */
export async function runJob(
  job: ImageJob,
  destination: Destination,
  means: RunMeans,
): Promise<Outcome> {
  const { context } = means;
  const { path, isForced } = destination;
  const form = outputForm(job.format, path, context);
  if (job.variables !== undefined) {
    requireDisk(form, path);
    requireApart(job.variables.output, path);
    requireVariables({ ...job.variables, time: job.time }, context);
  }
  using _claim =
    job.variables && (await claimOutput(job.variables.output, { verb: VERB, isForced }, context));
  const outcome = await buildImage(job, form, destination, means);
  if (job.variables !== undefined) {
    await makeVariableFile({ ...job.variables, image: path, time: job.time }, context);
  }
  return outcome;
}

/** One would replace the other. @throws {CONFIG_INVALID} */
function requireApart(variables: string, image: string): void {
  if (variables !== image) return;
  throw new EspError(
    'CONFIG_INVALID',
    `${image}: the image and its EFI variables are to be one file`,
    { hint: 'name another file for the variables' },
  );
}

/** A boot entry names a partition, which is looked up in the image that was made. */
function requireDisk({ isStream }: OutputForm, path: string): void {
  if (!isStream) return;
  throw new EspError(
    'CONFIG_INVALID',
    `${path}: EFI variables are made for a disk, not for a stream`,
    {
      hint: 'build a disk image, and compress it with image convert',
    },
  );
}

async function buildImage(
  job: ImageJob,
  form: OutputForm,
  { given, path, isForced }: Destination,
  means: RunMeans,
): Promise<Outcome> {
  const { context } = means;
  requireDracut(job, context);
  const signer = await signerOf(job, means);
  using _claim = await claimOutput(path, { verb: VERB, isForced }, context);
  return await withScratch(besideOutput(path), context, async (workshop) => {
    const plan = await planOf(job, form, workshop, means.warn);
    const sign = rootHashSignerFor(plan, job, context);
    const needed = plan.partitions.reduce((sum, { filling }) => sum + filling.size, 0);
    requireOutput(path, { needed, isForced }, context.disk);
    const ukis = ukisIn(plan, job);
    const splitting = { image: given, directory: dirname(path), ukis, isForced };
    const sectorSize = plan.table.kind === 'gpt' ? plan.table.sectorSize : 512;
    const isRaw = form.name === 'raw';
    const raw = isRaw ? path : `${workshop.scratch}/disk.raw`;
    const made = await placeOutput(raw, plan.size, context, async (image, at) => {
      const partitions = await makeImage(plan, {
        ...{ image, path: at, workshop, progress: context.progress, sign },
        fillLast: (planned, rootHashes) =>
          fillFats(
            planned,
            rootHashes,
            espFilling(job, { image, sectorSize, signer, name: path }, means),
          ),
      });
      // The names may hold root hashes. A refusal comes before anything has its own name.
      return job.isSplit ? splitFor(partitions, splitting, context) : partitions;
    });
    if (!isRaw) await convert(raw, { path, form }, means);
    if (job.isSplit) await splitImage(made, raw, splitting, context);
    return { plan, made };
  });
}

/** An initrd is made when its disk is: without dracut all would be made in vain. */
function requireDracut({ esp }: ImageJob, { machine, environment }: Context): void {
  const wants = esp.ukis.some((uki) => 'options' in uki && uki.options['dracut'] === true);
  if (!wants || machine.findProgram('dracut', environment) !== undefined) return;
  throw new EspError('TOOL_MISSING', 'dracut: expected the program, but there is none', {
    hint: 'apt-get install dracut-core, or nix-shell -p dracut; or give an initrd',
  });
}

/** Returns where UKIs are; those of a deferred partition are nowhere. */
function ukisIn({ partitions }: ImagePlan, { esp }: ImageJob): Splitting['ukis'] {
  const [onEsp, onXbootldr] = [isFilledEsp, isFilledXbootldr].map((is) => partitions.findIndex(is));
  return esp.ukis.flatMap(({ path, isOnXbootldr }) => {
    const index = (isOnXbootldr === true ? onXbootldr : onEsp) ?? -1;
    return index < 0 ? [] : [{ partition: index + 1, path }];
  });
}

async function convert(
  raw: string,
  { path, form }: { readonly path: string; readonly form: OutputForm },
  { context, warn }: RunMeans,
): Promise<void> {
  using disk = context.disk.open(raw);
  const warning = form.warningFor(disk.size);
  if (warning !== undefined) warn(warning);
  await writeOutput(disk, path, form, context);
}

/** Returns what an image would be. Programs whose result nobody can know before are run. */
export async function planJob(
  job: ImageJob,
  path: string,
  { context, warn }: RunMeans,
): Promise<ImagePlan> {
  const form = outputForm(job.format, path, context);
  const elsewhere = (disk: Context['disk']) =>
    disk.makeTemporary(context.environment['TMPDIR'] ?? '/var/tmp', 'espalier-image-');
  return withScratch(elsewhere, context, (workshop) => planOf(job, form, workshop, warn));
}

function planOf(
  job: ImageJob,
  { unit }: OutputForm,
  workshop: Workshop,
  warn: (warning: string) => void,
): Promise<ImagePlan> {
  const { disk, tree, time } = job;
  const requireTrusted = isVouchedFor(job) ? trustedIn(workshop) : undefined;
  const settings = { tree, time, workshop, requireTrusted, warn };
  return disk.kind === 'partitions'
    ? planImage({ ...disk, unit }, settings)
    : planNixpkgs(disk, settings);
}

/** Whether root hashes will be signed: by the key of the image, or elsewhere, before the rest is filled. */
function isVouchedFor({ disk, key }: ImageJob): boolean {
  return key !== undefined || disk.deferred.size > 0;
}

/** Returns what refuses a source on FAT. What was made on the way lies beside the output, wherever that is. */
function trustedIn({ disk, scratch }: Workshop): (path: string) => void {
  return (path) => {
    if (!path.startsWith(`${scratch}/`)) requireTrusted(path, [], disk);
  };
}

/** Makes a directory beside the output. What a killed run left there is in nobody's way for longer. */
function besideOutput(path: string): (disk: Context['disk']) => string {
  return (disk) => {
    const scratch = scratchPath(path);
    disk.removeTemporary(scratch);
    disk.makeDirectory(scratch);
    return scratch;
  };
}

async function withScratch<Result>(
  make: (disk: Context['disk']) => string,
  { disk, machine, environment }: Context,
  work: (workshop: Workshop) => Promise<Result>,
): Promise<Result> {
  const scratch = make(disk);
  try {
    return await work({ disk, machine, environment, scratch });
  } finally {
    disk.removeTemporary(scratch);
  }
}

/** Returns what the filling of the ESP is told. */
export function espFilling(
  { esp: description, time, architecture, key }: ImageJob,
  target: Pick<EspFilling, 'image' | 'sectorSize' | 'signer' | 'name'>,
  means: RunMeans,
): EspFilling {
  return { ...means, ...target, description, key, time, processor: architecture.replace('-', '_') };
}

/** Returns who signs boot loaders and images. @throws {KEY_INVALID} {KEY_INSECURE} */
export async function signerOf({ key }: ImageJob, { context, warn }: RunMeans): Promise<Signer> {
  if (key === undefined) return unsigned;
  const { signer, warnings } = await keySigner(key, context);
  for (const warning of warnings) warn(warning);
  return signer;
}

function rootHashSignerFor({ partitions }: ImagePlan, { key }: ImageJob, context: Context) {
  const signed = partitions.find(({ definition }) => definition.verity?.role === 'signature');
  if (signed === undefined) return undefined;
  if (key !== undefined) return rootHashSigner(key, context);
  throw new EspError(
    'CONFIG_INVALID',
    `${signed.definition.name}: a signature partition, and no key`,
    {
      hint: 'give --certificate and --private-key, or leave the partition out',
    },
  );
}
