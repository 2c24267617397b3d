/** Programs of others to be signed: what each is now, where the signed one goes, and how it gets there. */
import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import type { Disk, FileStat, OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { isFat } from '../esp/space.ts';
import { requireTrusted } from '../esp/untrusted-source.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { type Pe, parsePe } from '../pe/pe.ts';
import { requireSoundSections } from '../pe/section-findings.ts';
import { signedFile } from '../recipe/pieces.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import { type Signer, type ToSign, unsigned } from '../signer/signer.ts';
import { placeImage } from '../transaction/place-image.ts';

/** The bits of a file's mode that let everyone read it. */
const EVERYONE_READS = 0o004;

/** One program, what it is now, and where the signed one goes. */
export interface Task {
  readonly file: string;
  readonly output: string;
  readonly stat: FileStat;
  /** The digest (32 bytes) that a signature is over. */
  readonly imageDigest: Uint8Array;
  readonly isSigned: boolean;
  /** Whether the output is that already. */
  readonly isDone: boolean;
}

/** A link stays one: what is signed is the file that it leads to. */
export function realFile(file: string, disk: Disk): string {
  const real = disk.realPath(file);
  if (real !== undefined && disk.stat(real)?.kind === 'file') return real;
  throw new EspError('FILE_MISSING', `${file}: expected a file, found none`);
}

/**
 * Looks at a file, and at what lies where the signed program is to go.
 * @param by who signs, and the directories from which nothing is signed
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED} {FAT_REPLACE} {CONFIG_INVALID} {SOURCE_UNTRUSTED}
 */
export function taskFor(
  file: string,
  named: string,
  { signer, targets }: { readonly signer: Signer; readonly targets: readonly string[] },
  disk: Disk,
): Task {
  requireTrusted(file, targets, disk);
  const output = disk.realPath(named) ?? named;
  const stat = disk.stat(file);
  if (stat === undefined)
    throw new EspError('FILE_MISSING', `${file}: expected a file, found none`);
  const program = look(file, signer, disk);
  const there = output === file ? program : lookIfProgram(output, signer, disk);
  const { imageDigest, isSigned } = program;
  const isDone = there?.isSigned === true && Buffer.compare(there.imageDigest, imageDigest) === 0;
  if (!isDone) requirePlace(output, disk);
  return { file, output, stat, imageDigest, isSigned, isDone };
}

/**
 * FAT cannot replace a file as a whole: for a moment the name leads nowhere, and what firmware starts
 * by its name may be all that it has to start. A new name takes nothing away.
 */
function requirePlace(output: string, disk: Disk): void {
  const directory = dirname(output);
  if (disk.stat(directory)?.kind !== 'directory') {
    throw new EspError('CONFIG_INVALID', `${output}: ${directory} is no directory`);
  }
  const there = disk.stat(output);
  if (there === undefined) return;
  if (there.kind !== 'file') {
    throw new EspError('CONFIG_INVALID', `${output}: is there and is no file`);
  }
  if (!isFat(directory, disk)) return;
  throw new EspError('FAT_REPLACE', `${output}: FAT cannot replace a file as a whole`, {
    hint: 'sign it under a name that is new there with --output, or sign what it was copied from',
  });
}

/** What a program is: the digest that a signature is over, and whether it has a valid one of ours. */
interface Program {
  readonly imageDigest: Uint8Array;
  readonly isSigned: boolean;
}

function look(path: string, signer: Signer, disk: Disk): Program {
  return withFile(path, disk, (file) => {
    requireSoundSections(file, path);
    const signatures = certificateTable(file, parsePe(file, path));
    const imageDigest = authenticodeDigest(file);
    const isSigned = signer.verify(signatures, imageDigest).kind === 'valid';
    return { imageDigest, isSigned };
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
  using file = disk.open(path);
  return work(file);
}

/** Signs what is not signed yet. Nothing is written unless all of it can be signed. */
export async function carryOut(
  tasks: readonly Task[],
  signer: Signer,
  context: Context,
): Promise<void> {
  signer.prepare?.(toSign(tasks));
  for (const task of tasks) if (!task.isDone) await place(task, signer, context);
}

/** Returns what of it a key will be asked for. */
export function toSign(tasks: readonly Task[]): readonly ToSign[] {
  return tasks
    .filter(({ isDone, isSigned }) => !isDone && !isSigned)
    .map(({ file, imageDigest }) => ({ name: file, imageDigest }));
}

async function place(task: Task, signer: Signer, { disk, processId }: Context): Promise<void> {
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
