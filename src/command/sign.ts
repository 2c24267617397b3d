/** `sign`: signs EFI programs of others, where they lie or to another file. */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { digestOf } from '../digest.ts';
import type { Disk, FileStat, OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { type Pe, parsePe } from '../pe/pe.ts';
import { type Signer, unsigned } from '../signer/signer.ts';
import { signedFile } from '../transaction/assemble.ts';
import { placeImage } from '../transaction/place-image.ts';
import type { Context } from './context.ts';
import { misuse } from './flags.ts';
import type { Invocation } from './program.ts';
import { readSettings } from './settings.ts';
import { signerOf } from './survey/signer-of.ts';

const VERB = 'sign';
/** What statfs(2) reports of FAT. */
const FAT = 0x4d44;
/** The bits of a file's mode that let everyone read it. */
const EVERYONE_READS = 0o004;

/** One program, what it is now, and where the signed one goes. */
interface Task {
  readonly file: string;
  readonly output: string;
  readonly stat: FileStat;
  readonly isSigned: boolean;
  /** Whether the output is that already. */
  readonly isDone: boolean;
}

/**
 * Signs each program, or leaves it as it is when it has our signature. Nothing is written unless all
 * of them can be signed.
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED} when a file is no program that can be signed
 * @throws {KEY_INVALID} {KEY_INSECURE} as for the signing of images
 */
export async function sign(
  { operands, flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const { output, ...others } = flags;
  const settings = await readSettings(others, environment, disk);
  const loaded = await signerOf(settings, context);
  if (loaded === undefined) {
    throw misuse('expected --certificate and --private-key, or both in the configuration', VERB);
  }
  const { signer, warnings } = loaded;
  const files = [...new Set(operands.map((file) => realFile(file, disk)))];
  if (output !== undefined && files.length > 1) {
    throw misuse(`--output: expected one FILE, got ${files.length}`, VERB);
  }
  const target = typeof output === 'string' ? resolve(output) : undefined;
  const tasks = files.map((file) => taskFor(file, target ?? file, signer, disk));
  for (const task of tasks) if (!task.isDone) await carryOut(task, signer, context);
  print(json ? toDocument(tasks, signer) : tasks.map(render).join('\n'));
  if (warnings.length > 0) {
    const log = (await import('./log.ts')).openLog(verbosity);
    for (const warning of warnings) log.warn(warning);
  }
  return 0;
}

function toDocument(tasks: readonly Task[], { fingerprint }: Signer): string {
  const files = tasks.map(({ file, output, isDone }) => ({ file, output, signed: !isDone }));
  const document = { version: 1, verb: VERB, certificate: fingerprint, files };
  return JSON.stringify(document, undefined, 2);
}

function render({ output, isDone }: Task): string {
  return `${output}: ${isDone ? 'is signed, nothing to do' : 'signed'}`;
}

/** A link stays one: what is signed is the file that it leads to. */
function realFile(file: string, disk: Disk): string {
  const real = disk.realPath(file);
  if (real !== undefined && disk.stat(real)?.kind === 'file') return real;
  throw new EspError('FILE_MISSING', `${file}: expected a file, found none`);
}

function taskFor(file: string, named: string, signer: Signer, disk: Disk): Task {
  const output = disk.realPath(named) ?? named;
  const stat = disk.stat(file);
  if (stat === undefined)
    throw new EspError('FILE_MISSING', `${file}: expected a file, found none`);
  const program = look(file, signer, disk);
  const there = output === file ? program : lookIfProgram(output, signer, disk);
  const isDone = there?.isSigned === true && there.imageDigest === program.imageDigest;
  if (!isDone) requirePlace(output, disk);
  return { file, output, stat, isSigned: program.isSigned, isDone };
}

/**
 * FAT cannot replace a file as a whole: for a moment the name leads nowhere, and what firmware starts
 * by its name may be all that it has to start. A new name takes nothing away.
 */
function requirePlace(output: string, disk: Disk): void {
  const directory = dirname(output);
  if (disk.stat(directory)?.kind !== 'directory') {
    throw misuse(`--output: ${directory} is no directory`, VERB);
  }
  const there = disk.stat(output);
  if (there === undefined) return;
  if (there.kind !== 'file') throw misuse(`--output: ${output} is there and is no file`, VERB);
  if (disk.fileSystem(directory)?.type !== FAT) return;
  throw new EspError('FAT_REPLACE', `${output}: FAT cannot replace a file as a whole`, {
    hint: 'sign it under a name that is new there with --output, or sign what it was copied from',
  });
}

/** What a program is: the digest that a signature is over, and whether it has a valid one of ours. */
interface Program {
  readonly imageDigest: string;
  readonly isSigned: boolean;
}

function look(path: string, signer: Signer, disk: Disk): Program {
  return withFile(path, disk, (file) => {
    const signatures = certificateTable(file, parsePe(file, path));
    const sha256 = createHash('sha256');
    for (const bytes of authenticodeDigestInput(file)) sha256.update(bytes);
    const imageDigest = sha256.digest();
    const isSigned = signer.verify(signatures, imageDigest).kind === 'valid';
    return { imageDigest: digestOf(imageDigest), isSigned };
  });
}

/** What lies in the place of an output may be anything. */
function lookIfProgram(path: string, signer: Signer, disk: Disk): Program | undefined {
  try {
    return disk.stat(path)?.kind === 'file' ? look(path, signer, disk) : undefined;
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}

function withFile<Result>(path: string, disk: Disk, work: (file: OpenFile) => Result): Result {
  const file = disk.open(path);
  try {
    return work(file);
  } finally {
    file.close();
  }
}

async function carryOut(task: Task, signer: Signer, { disk, processId }: Context): Promise<void> {
  const { file, output, stat, isSigned } = task;
  const layout = withFile(file, disk, (source) =>
    isSigned ? asItIs(parsePe(source, file), file) : signedFile(source, file, signer),
  );
  await placeImage(layout, output, {
    disk,
    // The signature is part of the layout.
    signer: unsigned,
    readers: (stat.mode & EVERYONE_READS) === 0 ? 'owner' : 'everyone',
    processId,
    sources: new Map([[file, stat]]),
  });
}

/** A program with the signatures that it has; its checksum is made again, as of every image. */
function asItIs(
  { fileSize, checksumOffset, certificateEntryOffset }: Pe,
  path: string,
): ImageLayout {
  const rest = checksumOffset + CHECKSUM_SIZE;
  const pieces = [
    { kind: 'file', path, offset: 0, size: checksumOffset },
    { kind: 'zeros', size: CHECKSUM_SIZE },
    { kind: 'file', path, offset: rest, size: fileSize - rest },
  ] as const;
  return { size: fileSize, pieces, checksumOffset, certificateEntryOffset, digestRanges: [] };
}

const CHECKSUM_SIZE = 4;
