/** A second thread that hashes pieces of data: its start, its work and its end. */
import type { Machine } from '../process/machine.ts';
import type { BlockSource, DataHash, PieceQueue } from './data-pieces.ts';

/** The last argument of a program that must call {@link serveBlockThread} and nothing else. */
export const BLOCK_THREAD = '--block-thread';

/** What starts a second thread, and the data's path as the running system sees it. */
export interface ThreadStart {
  readonly machine: Pick<Machine, 'startThread'>;
  /** Undefined when the running system does not see the data. Then there is no second thread. */
  readonly path: string | undefined;
}

interface Job {
  readonly path: string;
  readonly hash: DataHash;
  readonly queue: PieceQueue;
}

type Answer = readonly [piece: number, digests: Uint8Array];

/** The thread, as its starter sees it. */
export interface BlockThread {
  /** Settles when the thread has answered or ended. Returns whether it still lives. */
  answer(): Promise<boolean>;
  stop(): void;
}

/** Stands for no thread: one that has ended. */
export const ENDED: BlockThread = { answer: async () => false, stop: () => undefined };

/**
 * Starts a thread that takes pieces off the queue. Its answers go into `done` by the number of
 * their piece. A broken thread stops answering, and whoever waits for its piece hashes that piece.
 */
export async function startBlockThread(
  { machine, path }: ThreadStart,
  hash: DataHash,
  queue: PieceQueue,
  done: Map<number, Uint8Array>,
): Promise<BlockThread> {
  const job: Job | undefined = path === undefined ? undefined : { path, hash, queue };
  const thread = job && (await machine.startThread(BLOCK_THREAD, job));
  if (thread === undefined) return ENDED;
  let lives = true;
  let wake = Promise.withResolvers<void>();
  const ring = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  thread.onAnswer((answer) => {
    const [piece, digests] = answer as Answer;
    done.set(piece, digests);
    ring();
  });
  thread.onEnd(() => {
    lives = false;
    ring();
  });
  return {
    async answer() {
      if (lives) await wake.promise;
      return lives;
    },
    stop: () => thread.stop(),
  };
}

/**
 * Hashes pieces on a thread that {@link startBlockThread} started, until there are none left.
 * @returns false at once on any other thread
 */
export async function serveBlockThread(open: (path: string) => BlockSource): Promise<boolean> {
  const { assignment } = await import('../process/thread.ts');
  const assigned = assignment(BLOCK_THREAD);
  if (assigned === undefined) return false;
  const { pieceCount, pieceHasher, waitForPiece } = await import('./data-pieces.ts');
  const { path, hash, queue } = assigned.job as Job;
  const pieces = pieceCount(hash);
  const hasher = pieceHasher(open(path), hash);
  for (let piece = waitForPiece(queue); piece < pieces; piece = waitForPiece(queue)) {
    const answer: Answer = [piece, hasher(piece)];
    assigned.answer(answer);
  }
  return true;
}
