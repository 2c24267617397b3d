/** A second thread that hashes pieces of data: how it is started, what it does, how it ends. */
import type { BlockSource, DataHash, PieceQueue } from './data-pieces.ts';

/** The last argument of a program that is to call {@link serveBlockThread} and nothing else. */
export const BLOCK_THREAD = '--block-thread';

/** What a second thread needs: the program's own entry, and the path under which it finds the data. */
export interface ThreadStart {
  /** Must call {@link serveBlockThread} when its last argument is {@link BLOCK_THREAD}. */
  readonly entry: URL;
  readonly path: string;
}

/** The thread holds one piece of the data. MiB. */
const SMALL = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

interface Job {
  readonly role: 'blocks';
  readonly path: string;
  readonly hash: DataHash;
  readonly queue: PieceQueue;
}

type Answer = readonly [piece: number, digests: Uint8Array];

/** The thread as the one that started it sees it. */
export interface BlockThread {
  /** Settles when it has answered, or ended for whatever reason; true while it lives. */
  answer(): Promise<boolean>;
  stop(): void;
}

/** No thread: one that has ended. */
export const ENDED: BlockThread = { answer: async () => false, stop: () => undefined };

/**
 * Starts a thread that takes pieces off the queue; its answers go into `done` by the number of their
 * piece. One that breaks answers no more, and the piece it had taken is left to whoever waits for it.
 */
export async function startBlockThread(
  { entry, path }: ThreadStart,
  hash: DataHash,
  queue: PieceQueue,
  done: Map<number, Uint8Array>,
): Promise<BlockThread> {
  const { Worker } = await import('node:worker_threads');
  const workerData: Job = { role: 'blocks', path, hash, queue };
  const worker = new Worker(entry, { argv: [BLOCK_THREAD], workerData, resourceLimits: SMALL });
  let lives = true;
  let wake = Promise.withResolvers<void>();
  const ring = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  worker.on('message', ([piece, digests]: Answer) => {
    done.set(piece, digests);
    ring();
  });
  const end = () => {
    lives = false;
    ring();
  };
  worker.on('error', end);
  worker.on('exit', end);
  return {
    async answer() {
      if (lives) await wake.promise;
      return lives;
    },
    stop() {
      worker.unref();
      void worker.terminate();
    },
  };
}

/**
 * Hashes pieces on a thread that {@link startBlockThread} started, until there are none left.
 * @returns false, at once, on any other thread
 */
export async function serveBlockThread(open: (path: string) => BlockSource): Promise<boolean> {
  const { parentPort, workerData } = await import('node:worker_threads');
  if (parentPort === null || !isJob(workerData)) return false;
  const { pieceCount, pieceHasher, waitForPiece } = await import('./data-pieces.ts');
  const { path, hash, queue } = workerData;
  const pieces = pieceCount(hash);
  const hasher = pieceHasher(open(path), hash);
  for (let piece = waitForPiece(queue); piece < pieces; piece = waitForPiece(queue)) {
    const answer: Answer = [piece, hasher(piece)];
    parentPort.postMessage(answer);
  }
  return true;
}

function isJob(data: unknown): data is Job {
  return typeof data === 'object' && data !== null && 'role' in data && data.role === 'blocks';
}
