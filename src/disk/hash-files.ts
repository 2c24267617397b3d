/** SHA-256 of many files, on two cores when there is enough to hash. */
import { availableParallelism } from 'node:os';
import type { Digest } from '../digest.ts';
import { EspError } from '../error.ts';
import { hashBuffer, hashFile, type SizedFile } from './hash-file.ts';

/** How {@link hashFiles} may go about its work. */
export interface HashOptions {
  /**
   * The program's own entry. Started on a thread, with `--hash-worker` as its only argument, it must
   * call {@link serveHashWorker}.
   */
  readonly workerEntry?: URL;
  /** Told about each file that cannot be hashed; without it, the first such file throws. */
  readonly onUnreadable?: (path: string, error: EspError) => void;
}

/** Bytes below which starting a thread costs more than it saves. */
const WORTH_A_THREAD = 128 * 1024 * 1024;

/** What the thread is told: the files in queue order, and the shared index of the next one. */
interface HashJob {
  readonly role: 'hash';
  readonly queue: readonly SizedFile[];
  readonly next: Int32Array<SharedArrayBuffer>;
}

/** What the thread answers for each file it hashed; a file it could not hash is left out. */
type HashAnswer = readonly [path: string, digest: Digest];

/**
 * Returns the digests of files by path. Memory does not grow with their number or size.
 * @throws {SOURCE_CHANGED} when a file does not hold as many bytes as it should
 * @throws {IO} when a file cannot be read
 */
export async function hashFiles(
  files: readonly SizedFile[],
  options: HashOptions = {},
): Promise<Map<string, Digest>> {
  // The largest first: what is left at the end is then small, and both threads end together.
  const queue = [...new Map(files.map((file) => [file.path, file])).values()].sort(
    (a, b) => b.size - a.size,
  );
  const next = new Int32Array(new SharedArrayBuffer(4));
  const digests = new Map<string, Digest>();
  const helper = await startHelper({ role: 'hash', queue, next }, options.workerEntry, digests);
  const buffer = hashBuffer();
  const hashHere = async (file: SizedFile): Promise<void> => {
    try {
      digests.set(file.path, await hashFile(file, buffer));
    } catch (error) {
      if (!(error instanceof EspError) || options.onUnreadable === undefined) throw error;
      options.onUnreadable(file.path, error);
    }
  };
  const tried = new Set<string>();
  try {
    for (const file of take(queue, next)) {
      tried.add(file.path);
      await hashHere(file);
    }
    await helper?.done;
  } finally {
    helper?.stop();
  }
  // Whatever the thread took and did not answer for is hashed, or reported, here.
  for (const file of queue) {
    if (!digests.has(file.path) && !tried.has(file.path)) await hashHere(file);
  }
  return digests;
}

/** Takes files off the queue that both threads share. */
function* take(queue: readonly SizedFile[], next: Int32Array): Generator<SizedFile> {
  for (;;) {
    const file = queue[Atomics.add(next, 0, 1)];
    if (file === undefined) return;
    yield file;
  }
}

interface Helper {
  /** Settles, and never fails, when the thread has ended for whatever reason. */
  readonly done: Promise<void>;
  stop(): void;
}

/** Starts a second thread when there is enough for two; its answers go into `digests`. */
async function startHelper(
  job: HashJob,
  entry: URL | undefined,
  digests: Map<string, Digest>,
): Promise<Helper | undefined> {
  const total = job.queue.reduce((sum, file) => sum + file.size, 0);
  if (entry === undefined || job.queue.length < 2 || total < WORTH_A_THREAD) return undefined;
  if (availableParallelism() < 2) return undefined;
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker(entry, {
    argv: ['--hash-worker'],
    workerData: job,
    resourceLimits: SMALL,
  });
  worker.on('message', (answer: HashAnswer | null) => answer && digests.set(...answer));
  // A thread that breaks costs only time: its share of the files is hashed by the one that asked.
  worker.on('error', () => undefined);
  // Its last word is `null`: taking it down takes longer, and nobody needs to wait for that.
  const done = new Promise<void>((resolve) => {
    worker.on('message', (answer: HashAnswer | null) => answer === null && resolve());
    worker.on('exit', () => resolve());
  });
  const stop = () => {
    worker.unref();
    void worker.terminate();
  };
  return { done, stop };
}

/** The last argument of a program that is to call {@link serveHashWorker} and nothing else. */
export const HASH_WORKER = '--hash-worker';

/** The thread holds one buffer and a list of names. MiB. */
const SMALL = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

/**
 * Hashes files on a thread that {@link hashFiles} started.
 * @returns false, at once, on any other thread
 */
export async function serveHashWorker(): Promise<boolean> {
  const { parentPort, workerData } = await import('node:worker_threads');
  if (parentPort === null || !isHashJob(workerData)) return false;
  const buffer = hashBuffer();
  for (const file of take(workerData.queue, workerData.next)) {
    try {
      const answer: HashAnswer = [file.path, await hashFile(file, buffer)];
      parentPort.postMessage(answer);
    } catch {
      // The asking thread tries the file itself and meets the error where it can be told.
    }
  }
  parentPort.postMessage(null);
  return true;
}

function isHashJob(data: unknown): data is HashJob {
  return typeof data === 'object' && data !== null && 'role' in data && data.role === 'hash';
}
