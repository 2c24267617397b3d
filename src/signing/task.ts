/** Describes the signing of a foreign program: what it is now, and where the signed one goes. */
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

/** One program as it is now, and where the signed one goes. */
export interface Task {
  readonly file: string;
  readonly output: string;
  readonly stat: FileStat;
  /** The digest (32 bytes) that gets signed. */
  readonly imageDigest: Uint8Array;
  readonly isSigned: boolean;
  /** Whether the output holds the signed program already. */
  readonly isDone: boolean;
}

/** Returns the file that a link leads to: signing keeps the link. */
export function realFile(file: string, disk: Disk): string {
  const real = disk.realPath(file);
  if (real !== undefined && disk.stat(real)?.kind === 'file') return real;
  throw new EspError('FILE_MISSING', `${file}: expected a file, found none`);
}

/**
 * Reads a file, and what lies at the path for the signed program.
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
 * FAT cannot replace a file atomically: for a moment its name leads nowhere, and firmware may have
 * nothing else to start. So only a new name is accepted there.
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

/** A program: the digest that gets signed, and whether it has a valid signature of ours. */
interface Program {
  readonly imageDigest: Uint8Array;
  readonly isSigned: boolean;
}

function look(path: string, signer: Signer, disk: Disk): Program {
  return withFile(path, disk, (file) => {
    const pe = parsePe(file, path);
    requireSoundSections(pe, path);
    const signatures = certificateTable(file, pe);
    const imageDigest = authenticodeDigest(file);
    const isSigned = signer.verify(signatures, imageDigest).kind === 'valid';
    return { imageDigest, isSigned };
  });
}

/** The file at an output path may be anything, so a file that is no program is no error. */
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

/** Signs every program that is not signed yet. It writes nothing unless it can sign all of them. */
export async function carryOut(
  tasks: readonly Task[],
  signer: Signer,
  context: Context,
): Promise<void> {
  signer.prepare?.(toSign(tasks));
  for (const task of tasks) if (!task.isDone) await place(task, signer, context);
}

/** Returns the programs that the key will have to sign. */
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
    // The layout carries the signature already.
    signer: unsigned,
    readers: (stat.mode & EVERYONE_READS) === 0 ? 'owner' : 'everyone',
    processId,
    sources: new Map([[file, stat]]),
  });
}

/** Lays out a program with the signatures that it has, and computes its checksum anew. */
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
