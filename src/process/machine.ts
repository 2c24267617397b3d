/**
 * The Machine port: what the kernel does besides files. It runs child programs, threads and
 * devices.
 */
import type { ByteSource } from '../byte-source.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A program to run. `argv` begins with the program. Paths are those of the running system. */
export interface Program {
  readonly argv: readonly string[];
  readonly directory: string;
  readonly environment: Environment;
  /** What it reads on its stdin; without it, nothing. What this throws ends the program. */
  readonly input?: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Bounds at which a program is stopped. `timeout` in seconds. */
export interface Bounds {
  readonly timeout: number;
  /** Called while the program runs. Returns what the program does that it must not. */
  readonly watch?: () => string | undefined;
  /**
   * For programs that end with status 0 whatever went wrong: gets the first messages, and returns
   * what they say that is wrong.
   */
  readonly judge?: (messages: string) => string | undefined;
}

/** What went wrong with a run, and the last messages of the program. */
export interface Complaint {
  readonly what: string;
  readonly cause?: unknown;
}

/** A program that gets bytes on its stdin and answers with bytes. */
export interface Question {
  readonly argv: readonly string[];
  readonly input?: Uint8Array;
  /** In milliseconds. */
  readonly timeout: number;
  /** The longest answer, in bytes. */
  readonly limit: number;
  /** Whether its messages go to the person at the terminal, or are returned with the answer. */
  readonly messages: 'shown' | 'kept';
}

/** A program's answer. `status` is null when a signal ended it, or when it did not run. */
export interface Answer {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: Uint8Array;
  /** ": " and the last lines of its messages, when they were kept. */
  readonly messages: string;
  readonly error?: Error | undefined;
}

/** A second thread, as its starter sees it. */
export interface Thread {
  /** Called with each answer of the thread. */
  onAnswer(listen: (answer: unknown) => void): void;
  /** Called when the thread has ended, for any reason; more than once if it broke. */
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

/** What a raw file is opened for. `replace` empties an existing file. */
export type RawUse = 'read' | 'write' | 'replace';

/** The machine that the program runs on. Every path is one of the running system. */
export interface Machine {
  /** The program's own file. */
  readonly program: URL;
  /**
   * Runs a program to its end. When it ends or exceeds a bound, it is killed with its process
   * group. A daemon that left the group escapes.
   * @returns what went wrong, or undefined when the program ended with status 0
   */
  run(program: Program, bounds: Bounds): Promise<Complaint | undefined>;
  /** Runs a program and waits for its answer. It blocks this process meanwhile. */
  ask(question: Question): Answer;
  /** Returns the path of a program that this process may run, by the PATH of `environment`. */
  findProgram(name: string, environment: Environment): string | undefined;
  /**
   * Yields a program's output for a stream. The program is killed when the caller stops reading
   * early.
   * @throws {IO} with the program's messages, when it rejects the stream
   */
  filter(
    argv: readonly string[],
    environment: Environment,
    stream: Iterable<Uint8Array>,
  ): AsyncIterable<Uint8Array>;
  /**
   * Starts the program once more on a thread. `argument` is its last argument, and names the work.
   * @returns undefined on a machine with a single core
   */
  startThread(argument: string, job: unknown): Promise<Thread | undefined>;
  /**
   * Opens a file or block device; for writing, a file that does not exist is made.
   * @throws {FILE_MISSING} when it does not exist, or is neither
   */
  openRaw(path: string, use: RawUse): RawFile;
}
