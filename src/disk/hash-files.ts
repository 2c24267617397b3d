/** Computes the SHA-256 of many files of a disk, on two cores when there is enough to hash. */
import type { Digest } from '../digest.ts';
import { EspError } from '../error.ts';
import type { Machine, Thread } from '../process/machine.ts';
import type { Disk } from './disk.ts';
import { hashBuffer, hashFile, type SizedFile } from './hash-file.ts';

/** How {@link hashFiles} works. */
export interface HashOptions {
  /**
   * Starts a second thread, if the running system sees the files too. Without it there is one
   * thread.
   */
  readonly machine?: Pick<Machine, 'startThread'>;
  /** Called for each file that cannot be hashed. Without it, the first such file throws. */
  readonly onUnreadable?: (path: string, error: EspError) => void;
  /** Called with how many bytes, and how many whole files, more were read. */
  readonly onRead?: (bytes: number, files: number) => void;
}

/** In bytes. Below it, starting a thread costs more than it saves. */
const WORTH_A_THREAD = 128 * 1024 * 1024;

/** The thread's job: the files in the order of the queue, and the shared index of the next one. */
interface HashJob {
  /** Paths as the running system sees them. */
  readonly queue: readonly SizedFile[];
  readonly next: Int32Array<SharedArrayBuffer>;
}

/**
 * The thread's answer for a file: its index in the queue, and its digest. Failed files get no
 * answer.
 */
type HashAnswer = readonly [index: number, digest: Digest];

/**
 * Returns the digests of files by path. Memory does not grow with their number or size.
 * @throws {SOURCE_CHANGED} when a file does not have its expected size
 * @throws {IO} when a file cannot be read
 */
export async function hashFiles(
  files: readonly SizedFile[],
  disk: Pick<Disk, 'open' | 'hostPath'>,
  options: HashOptions = {},
): Promise<Map<string, Digest>> {
  // The largest files come first, so that both threads end at about the same time.
  const queue = [...new Map(files.map((file) => [file.path, file])).values()].sort(
    (a, b) => b.size - a.size,
  );
  const next = new Int32Array(new SharedArrayBuffer(4));
  const digests = new Map<string, Digest>();
  const { machine, onRead } = options;
  const helper = await startHelper(queue, next, { disk, machine }, ({ path, size }, digest) => {
    digests.set(path, digest);
    onRead?.(size, 1);
  });
  const buffer = hashBuffer();
  const hashHere = async (file: SizedFile): Promise<void> => {
    try {
      digests.set(file.path, await hashFile(file, disk, buffer, (bytes) => onRead?.(bytes, 0)));
      onRead?.(0, 1);
    } catch (error) {
      if (!(error instanceof EspError) || options.onUnreadable === undefined) throw error;
      options.onUnreadable(file.path, error);
    }
  };
  const tried = new Set<string>();
  try {
    for (const [, file] of take(queue, next)) {
      tried.add(file.path);
      await hashHere(file);
    }
    await helper?.done;
  } finally {
    helper?.stop();
  }
  // This thread hashes, or reports, the files that the other took and did not answer.
  for (const file of queue) {
    if (!digests.has(file.path) && !tried.has(file.path)) await hashHere(file);
  }
  return digests;
}

/** Takes files off the queue, which both threads share. */
function* take(
  queue: readonly SizedFile[],
  next: Int32Array,
): Generator<readonly [index: number, file: SizedFile]> {
  for (;;) {
    const index = Atomics.add(next, 0, 1);
    const file = queue[index];
    if (file === undefined) return;
    yield [index, file];
  }
}

interface Helper {
  /** Settles when the thread has ended, for any reason. It never rejects. */
  readonly done: Promise<void>;
  stop(): void;
}

interface HelperSource {
  readonly disk: Pick<Disk, 'hostPath'>;
  readonly machine: HashOptions['machine'];
}

/** Starts a second thread when there is enough work for two. `onDigest` hears its answers. */
async function startHelper(
  files: readonly SizedFile[],
  next: HashJob['next'],
  { disk, machine }: HelperSource,
  onDigest: (file: SizedFile, digest: Digest) => void,
): Promise<Helper | undefined> {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (machine === undefined || files.length < 2 || total < WORTH_A_THREAD) return undefined;
  const queue = files.flatMap(({ path, size }) => {
    const hostPath = disk.hostPath(path);
    return hostPath === undefined ? [] : [{ path: hostPath, size }];
  });
  if (queue.length < files.length) return undefined;
  const job: HashJob = { queue, next };
  const thread = await machine.startThread(HASH_WORKER, job);
  return thread && { done: collect(thread, files, onDigest), stop: () => thread.stop() };
}

/**
 * The thread's last answer is `null`. Nobody waits for the thread to be torn down, which takes
 * longer.
 */
function collect(
  thread: Thread,
  files: readonly SizedFile[],
  onDigest: (file: SizedFile, digest: Digest) => void,
): Promise<void> {
  return new Promise((resolve) => {
    thread.onEnd(resolve);
    thread.onAnswer((answer) => {
      if (answer === null) return resolve();
      const [index, digest] = answer as HashAnswer;
      const file = files[index];
      if (file !== undefined) onDigest(file, digest);
    });
  });
}

/** The last argument of a program that must call {@link serveHashWorker} and nothing else. */
export const HASH_WORKER = '--hash-worker';

/**
 * Hashes files on a thread that {@link hashFiles} started.
 * @returns false at once on any other thread
 */
export async function serveHashWorker(): Promise<boolean> {
  const { assignment } = await import('../process/thread.ts');
  const assigned = assignment(HASH_WORKER);
  if (assigned === undefined) return false;
  const { reading } = await import('./node-reading.ts');
  const { queue, next } = assigned.job as HashJob;
  const buffer = hashBuffer();
  for (const [index, file] of take(queue, next)) {
    try {
      const answer: HashAnswer = [index, await hashFile(file, reading, buffer)];
      assigned.answer(answer);
    } catch {
      // The main thread tries this file itself, and reports the error where it is seen.
    }
  }
  assigned.answer(null);
  return true;
}
