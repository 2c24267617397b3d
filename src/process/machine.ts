/** The Machine port: what the running kernel does for the program besides files: child programs, threads, devices. */
import type { ByteSource } from '../byte-source.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A program to run. `argv` begins with the program; paths are those of the running system. */
export interface Program {
  readonly argv: readonly string[];
  readonly directory: string;
  readonly environment: Environment;
}

/** When a program is stopped. `timeout` in seconds. */
export interface Bounds {
  readonly timeout: number;
  /** Called while the program runs: says what the program does that it may not. */
  readonly watch?: () => string | undefined;
}

/** What was wrong with a run, with the last that the program said. */
export interface Complaint {
  readonly what: string;
  readonly cause?: unknown;
}

/** A program that gets some bytes and answers with some. */
export interface Question {
  readonly argv: readonly string[];
  readonly input?: Uint8Array;
  /** Milliseconds. */
  readonly timeout: number;
  /** The longest answer, in bytes. */
  readonly limit: number;
  /** Whether its messages go to the person at the terminal, or come back with the answer. */
  readonly messages: 'shown' | 'kept';
}

/** How a program answered. `status` is null when a signal ended it, or when it did not run at all. */
export interface Answer {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: Uint8Array;
  /** The last lines of its messages behind a colon, where they were kept. */
  readonly messages: string;
  readonly error?: Error | undefined;
}

/** A second thread as the one that started it sees it. */
export interface Thread {
  /** Called with each answer of the thread. */
  onAnswer(listen: (answer: unknown) => void): void;
  /** Called when the thread has ended for whatever reason; called more than once if it broke. */
  onEnd(listen: () => void): void;
  stop(): void;
}

/** An open file or block device whose bytes can be overwritten. */
export interface RawFile extends Required<ByteSource>, Disposable {
  /** Whether it is a block device, whose size is fixed. */
  readonly isDevice: boolean;
  /** Overwrites bytes, and makes a file longer where they reach beyond its end. @throws {SHORT_WRITE} */
  writeAt(offset: number, bytes: Uint8Array): void;
  /** Ends a file at a size in bytes; a device keeps its own. */
  cut(size: number): void;
  /** Makes what was written durable. */
  sync(): void;
}

/** What a raw file is opened for; `replace` empties a file that exists. */
export type RawUse = 'read' | 'write' | 'replace';

/** The machine that the program runs on. Every path is one of the running system. */
export interface Machine {
  /** The program's own file. */
  readonly program: URL;
  /**
   * Runs a program to its end, with nothing on its stdin. It and whatever stays in its process group
   * are killed when it ends or exceeds a bound; a daemon that leaves the group escapes.
   * @returns what was wrong, or undefined when it ended with status 0
   */
  run(program: Program, bounds: Bounds): Promise<Complaint | undefined>;
  /** Runs a program and waits for its answer; nothing else happens meanwhile. */
  ask(question: Question): Answer;
  /** Returns the path of a program that this process may run, by the PATH of an environment. */
  findProgram(name: string, environment: Environment): string | undefined;
  /**
   * Yields what a program makes of a stream. The program is killed when not all is taken.
   * @throws {IO} with what the program said, when it does not take the stream
   */
  filter(
    argv: readonly string[],
    environment: Environment,
    stream: Iterable<Uint8Array>,
  ): AsyncIterable<Uint8Array>;
  /**
   * Starts the program once more, on a thread: `argument` is its last argument, and says which work to do.
   * @returns undefined where there is one core alone
   */
  startThread(argument: string, job: unknown): Promise<Thread | undefined>;
  /**
   * Opens a file or block device; for writing, a file that does not exist is made.
   * @throws {FILE_MISSING} when it does not exist, or is neither
   */
  openRaw(path: string, use: RawUse): RawFile;
}
