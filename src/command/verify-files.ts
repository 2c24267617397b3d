/** `verify FILE…` and `uki verify FILE`: the signatures of any EFI program, and who accepts them. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { EspError, EXIT_FAILED, EXIT_WARNINGS, explain } from '../error.ts';
import { firmwareKeys } from '../inspection/firmware-trust.ts';
import {
  type Judges,
  type ProgramReport,
  programSignatures,
  type SignatureReport,
} from '../inspection/program-signatures.ts';
import { EFI_VARIABLES } from '../loader/efi-variables.ts';
import { loadChain, requireFile } from '../signer/pem.ts';
import { printable } from '../terminal/printable.ts';

/** A program by the name that it was given with. */
interface Verified extends ProgramReport {
  readonly file: string;
}

/** How the files are judged and told. */
interface Request {
  readonly verb: string;
  /** A certificate in PEM that a signature has to be of, or be issued by. */
  readonly certificate: string | undefined;
  readonly json: boolean;
}

/**
 * Lists the signatures of programs. The status is 1 when one is not accepted: by the certificate that
 * is named, else by firmware; without both, when it has no valid signature. It is 5 when firmware
 * cannot tell, or something else is wrong with a program. Of several files one that is no program is told
 * among the others.
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED} {KEY_INVALID}
 */
export function verifyFiles(
  files: readonly string[],
  { verb, certificate, json }: Request,
  { disk, environment, print }: Context,
): number {
  const variables = environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES;
  const isThere = disk.stat(variables)?.kind === 'directory';
  const firmware = isThere ? firmwareKeys(variables, disk) : undefined;
  const judges: Judges = { firmware, certificates: certificatesIn(certificate, disk) };
  const look = (file: string): Verified => {
    using source = disk.open(resolve(file));
    return { file, ...programSignatures(source, file, judges) };
  };
  const results = files.map((file) => (files.length === 1 ? look(file) : lookOrTell(file, look)));
  const reports = results.filter((result) => 'digests' in result);
  const problems = firmware?.problems ?? [];
  if (json) print(JSON.stringify({ version: 1, verb, files: results, problems }, undefined, 2));
  else print([...results.flatMap(render), ...problems.map(printable)].join('\n'));
  if (results.some((result) => !('digests' in result) || !isAccepted(result))) return EXIT_FAILED;
  const isOdd = reports.some(({ findings }) => findings.length > 0) || problems.length > 0;
  return isOdd ? EXIT_WARNINGS : 0;
}

/** A file that is no program, and why. */
interface Unreadable {
  readonly file: string;
  readonly problem: string;
}

/** One of several that is no program costs the others nothing. */
function lookOrTell(file: string, look: (file: string) => Verified): Verified | Unreadable {
  try {
    return look(file);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { file, problem: explain(error) };
  }
}

function certificatesIn(path: string | undefined, disk: Context['disk']): Judges['certificates'] {
  if (path === undefined) return [];
  const absolute = resolve(path);
  requireFile('certificate', absolute, disk);
  return [loadChain(absolute, disk).certificate];
}

function isAccepted({ signatures, starts, digestInDbx }: ProgramReport): boolean {
  if (digestInDbx === true) return false;
  const judged = signatures.filter(({ accepted }) => accepted !== null);
  if (judged.length > 0) return judged.some(({ accepted }) => accepted);
  return starts ?? signatures.some(({ valid }) => valid);
}

function render(result: Verified | Unreadable): readonly string[] {
  if (!('digests' in result)) return [`not verified: ${printable(result.problem)}`];
  const { file, digests, signatures, starts, ...report } = result;
  const { digestInDb, digestInDbx, findings } = report;
  const verdict =
    starts === null
      ? 'firmware: cannot tell'
      : `firmware: ${starts ? 'starts it' : 'does not start it'}`;
  return [
    `${printable(file)}:`,
    `  digest sha256:${digests.sha256}${digestInDb ? ', in db' : ''}${digestInDbx ? ', in dbx' : ''}`,
    ...(signatures.length === 0 ? ['  not signed'] : signatures.flatMap(renderSignature)),
    ...findings.map((finding) => `  finding: ${printable(finding)}`),
    `  ${verdict}`,
  ];
}

function renderSignature(signature: SignatureReport, index: number): readonly string[] {
  const { signer, certificate, digest, valid, problem, inDb, inDbx, accepted } = signature;
  const word = (value: boolean | null) => (value === null ? 'unknown' : value ? 'yes' : 'no');
  return [
    `  signature ${index + 1}: ${valid ? 'valid' : `not valid: ${problem}`}`,
    ...(signer.length > 0 ? [`    by ${signer.map(printable).join(', issued by ')}`] : []),
    ...(certificate ? [`    certificate ${certificate}`] : []),
    ...(digest ? [`    over ${digest}`] : []),
    `    in db: ${word(inDb)}; in dbx: ${inDbx === null ? (inDb === null ? 'unknown' : 'no') : printable(inDbx)}`,
    ...(accepted === null ? [] : [`    accepted by the certificate: ${word(accepted)}`]),
  ];
}
