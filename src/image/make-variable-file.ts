/** Makes a file of EFI variables from what a person named. */
import type { Context } from '../context.ts';
import { forbiddenTrust, readDbx } from '../enrolment/others.ts';
import { loadOwnerCertificates } from '../enrolment/set.ts';
import { trustedSignatures } from '../enrolment/trusted-signatures.ts';
import type { FileOption } from '../loader/boot-option.ts';
import { bootOptionsFor } from './boot-target.ts';
import { placeOutput } from './output.ts';
import { variableFile } from './variable-file.ts';

/** What a person named. Paths are absolute. */
export interface VariableSources {
  readonly template: string;
  readonly output: string;
  /** A key directory. */
  readonly keys?: string | undefined;
  readonly microsoft: readonly string[];
  readonly certificates: readonly string[];
  readonly dbx?: string | undefined;
  /** An image, and the programs on its ESP; none for its boot loader. */
  readonly image?: string | undefined;
  readonly boot: readonly string[];
  /** In seconds since the epoch. */
  readonly time: number;
}

/** What was made. */
export interface MadeVariables {
  readonly enrolled: boolean;
  readonly boot: readonly FileOption[];
}

/** In bytes. Files of OVMF have half a MiB, and 64 MiB on other boards. */
const MAX_TEMPLATE = 64 * 1024 * 1024;

/**
 * Refuses what no file could be made of, whichever programs start: before there is an image.
 * @throws {VARIABLES_MALFORMED} {KEY_INVALID} {CONFIG_INVALID} as {@link makeVariableFile} does
 */
export function requireVariables(sources: Omit<VariableSources, 'image'>, context: Context): void {
  bytesOf(sources, [], context);
}

/**
 * Makes the file. The caller has looked whether the output may be made.
 * @throws {VARIABLES_MALFORMED} when the template is none
 * @throws {KEY_INVALID} when a certificate is not there
 * @throws {CONFIG_INVALID} when a program to start is not on the ESP, or the variables do not fit
 */
export async function makeVariableFile(
  sources: VariableSources,
  context: Context,
): Promise<MadeVariables> {
  const { keys, image, boot: paths, output } = sources;
  const programs = paths.length > 0 ? paths.map((path) => ({ path, description: path })) : [{}];
  const boot = image === undefined ? [] : await bootOptionsFor(image, programs, context);
  const bytes = bytesOf(sources, boot, context);
  await placeOutput(output, bytes.length, context, async (file) => file.writeAt(0, bytes));
  return { enrolled: keys !== undefined, boot };
}

function bytesOf(
  sources: VariableSources,
  boot: readonly FileOption[],
  context: Context,
): Uint8Array {
  const { disk } = context;
  const { keys, dbx: dbxPath, time, template } = sources;
  const signatures = keys === undefined ? undefined : signaturesOf(keys, sources, context);
  const dbx = dbxPath === undefined ? undefined : readDbx(dbxPath, disk);
  if (dbxPath && dbx && signatures) forbiddenTrust(dbxPath, dbx, signatures.db);
  return variableFile(disk.read(template, MAX_TEMPLATE), { signatures, dbx, boot, time }, template);
}

/** A virtual machine has no cards whose programs Microsoft signed, unless somebody gives it one. */
function signaturesOf(
  directory: string,
  { microsoft, certificates }: VariableSources,
  context: Context,
) {
  const wishes = { microsoft, certificates, firmware: undefined, needsNoOptionRoms: true };
  return trustedSignatures(loadOwnerCertificates(directory, context), wishes, context.disk)
    .signatures;
}
