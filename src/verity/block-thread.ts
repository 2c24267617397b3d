/** A second thread that hashes blocks: how it is started, given pieces of data, and ended. */
import type { BlockHash } from './block-hasher.ts';

/** The last argument of a program that is to call {@link serveBlockThread} and nothing else. */
export const BLOCK_THREAD = '--block-thread';

/** Pieces in flight: one is hashed while the others wait, so that the thread never does. */
const SLOTS = 4;

/** The thread holds one block and what is shared. MiB. */
const SMALL = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

interface Job extends BlockHash {
  readonly role: 'blocks';
  readonly slots: readonly Uint8Array<SharedArrayBuffer>[];
}

interface Piece {
  readonly piece: number;
  readonly slot: number;
  /** Of the data in the slot, in bytes. */
  readonly length: number;
}

interface Answer {
  readonly piece: number;
  readonly slot: number;
  readonly digests: Uint8Array;
}

/** The thread as the one that started it sees it. */
export interface BlockThread {
  /** Gives it a piece if it has room: `fill` puts the data into the memory it is handed. */
  give(piece: number, fill: (memory: Uint8Array) => Uint8Array): boolean;
  /** Settles when it has answered, or ended for whatever reason; true while it lives. */
  answer(): Promise<boolean>;
  stop(): void;
}

const ENDED: BlockThread = {
  give: () => false,
  answer: async () => false,
  stop: () => undefined,
};

/**
 * Starts the thread. Its answers go into `done` by the number of their piece; a thread that breaks
 * answers no more, and what it was given is left to whoever gave it.
 * @param entry the program's own entry, which must call {@link serveBlockThread} when its last argument
 * is {@link BLOCK_THREAD}; without it there is no thread, which is one that has ended
 */
export async function startBlockThread(
  entry: URL | undefined,
  { algorithm, salt, blockSize }: BlockHash,
  pieceSize: number,
  done: Map<number, Uint8Array>,
): Promise<BlockThread> {
  if (entry === undefined) return ENDED;
  const { Worker } = await import('node:worker_threads');
  const slots = Array.from(
    { length: SLOTS },
    () => new Uint8Array(new SharedArrayBuffer(pieceSize)),
  );
  const workerData: Job = { role: 'blocks', algorithm, salt, blockSize, slots };
  const worker = new Worker(entry, {
    argv: [BLOCK_THREAD],
    workerData,
    resourceLimits: SMALL,
  });
  const free = [...slots.keys()];
  let lives = true;
  let wake = Promise.withResolvers<void>();
  const ring = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  worker.on('message', ({ piece, slot, digests }: Answer) => {
    done.set(piece, digests);
    free.push(slot);
    ring();
  });
  const end = () => {
    lives = false;
    ring();
  };
  worker.on('error', end);
  worker.on('exit', end);
  return {
    give(piece, fill) {
      const slot = lives ? free.pop() : undefined;
      const memory = slot === undefined ? undefined : slots[slot];
      if (slot === undefined || memory === undefined) return false;
      const given: Piece = { piece, slot, length: fill(memory).length };
      worker.postMessage(given);
      return true;
    },
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
 * Hashes blocks on a thread that {@link startBlockThread} started, until it is stopped.
 * @returns false, at once, on any other thread
 */
export async function serveBlockThread(): Promise<boolean> {
  const { parentPort, workerData } = await import('node:worker_threads');
  if (parentPort === null || !isJob(workerData)) return false;
  const { blockHasher } = await import('./block-hasher.ts');
  const { slots } = workerData;
  const hasher = blockHasher(workerData);
  parentPort.on('message', ({ piece, slot, length }: Piece) => {
    const memory = slots[slot];
    if (memory === undefined) return;
    const answer: Answer = { piece, slot, digests: hasher(memory.subarray(0, length)) };
    parentPort.postMessage(answer);
  });
  return true;
}

function isJob(data: unknown): data is Job {
  return typeof data === 'object' && data !== null && 'role' in data && data.role === 'blocks';
}
