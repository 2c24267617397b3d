/** A second thread: starts the program once more with its own job, and passes answers back. */
import { availableParallelism } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { Thread } from './machine.ts';
import { textInside } from './single-executable.ts';

/** In MiB. A thread holds one buffer and a list of names. */
const SMALL = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

interface Work {
  readonly argument: string;
  readonly job: unknown;
}

/** Starts a thread as {@link Machine.startThread} describes. */
export function startThread(program: URL, argument: string, job: unknown): Thread | undefined {
  if (availableParallelism() < 2) return undefined;
  const work: Work = { argument, job };
  const options = { argv: [argument], workerData: work, resourceLimits: SMALL };
  // A single executable has no file of JavaScript to start from.
  const text = textInside();
  const worker =
    text === undefined
      ? new Worker(program, options)
      : new Worker(text, { ...options, eval: true });
  // A broken thread ends, and whoever started it does the work itself.
  worker.on('error', () => undefined);
  return {
    onAnswer: (listen) => void worker.on('message', listen),
    onEnd: (listen) => void worker.on('error', listen).on('exit', listen),
    stop() {
      worker.unref();
      void worker.terminate();
    },
  };
}

/** The job of a thread, as the thread sees it. */
export interface Assignment {
  readonly job: unknown;
  answer(answer: unknown): void;
}

/** Returns the job of this thread for that argument; undefined on any other thread. */
export function assignment(argument: string): Assignment | undefined {
  const port = parentPort;
  if (port === null || !isWork(workerData) || workerData.argument !== argument) return undefined;
  return { job: workerData.job, answer: (answer) => port.postMessage(answer) };
}

function isWork(data: unknown): data is Work {
  return typeof data === 'object' && data !== null && 'argument' in data && 'job' in data;
}
