/** Bytes that are read from front to back, from a file or from a decompressor. */
import type { ByteSource } from '../byte-source.ts';
import { damaged, Obstruction } from './obstacle.ts';

/** A position in bytes that only moves forwards. */
export interface ForwardBytes {
  /** How many bytes were passed. */
  readonly position: number;
  /** Returns the next bytes without moving. It returns fewer only at the end. */
  peek(length: number): Promise<Uint8Array>;
  /** Moves on by so many bytes, or to the end. Returns whether all of them were there. */
  skip(length: number): Promise<boolean>;
}

/** Returns the bytes of a file from an offset. Skipped bytes are not read. */
export function fileBytes(source: ByteSource, offset: number): ForwardBytes {
  let position = offset;
  return {
    get position() {
      return position;
    },
    peek: async (length) => source.read(position, length),
    skip: async (length) => {
      const end = position + length;
      position = Math.min(end, source.size);
      return end <= source.size;
    },
  };
}

/**
 * The output of a decompressor, and the offset in the file where its input ended. Each piece is
 * valid until the next one is requested.
 */
export type Unpacked = AsyncGenerator<Uint8Array, number>;

/** The output of a decompressor. It holds no more bytes than were requested. */
export class UnpackedBytes implements ForwardBytes, AsyncDisposable {
  readonly #chunks: Unpacked;
  readonly #limit: number;
  #pending: Uint8Array = new Uint8Array();
  #position = 0;
  #end = 0;

  /** @param limit the most bytes that may come out */
  constructor(chunks: Unpacked, limit: number) {
    this.#chunks = chunks;
    this.#limit = limit;
  }

  get position(): number {
    return this.#position;
  }

  async peek(length: number): Promise<Uint8Array> {
    while (this.#pending.length < length) {
      const head = this.#pending.slice();
      const chunk = await this.#next();
      this.#pending = chunk === undefined ? head : joined(head, chunk);
      if (chunk === undefined) break;
    }
    return this.#pending.subarray(0, length);
  }

  async skip(length: number): Promise<boolean> {
    let left = length;
    while (left > this.#pending.length) {
      left -= this.#drop(this.#pending.length);
      const chunk = await this.#next();
      if (chunk === undefined) return false;
      this.#pending = chunk;
    }
    this.#drop(left);
    return true;
  }

  /** Returns where in the file the packed bytes end. @throws {Obstruction} when more bytes come out */
  async end(): Promise<number> {
    const [rest] = await this.peek(1);
    if (rest !== undefined) throw damaged(`expected a member or the end, got a byte ${rest}`);
    return this.#end;
  }

  /** Stops the decompressor. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return(0);
  }

  #drop(length: number): number {
    this.#pending = this.#pending.subarray(length);
    this.#position += length;
    return length;
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#chunks.next();
    if (done) {
      // Another request after the end returns undefined, so the first answer is kept.
      this.#end = value ?? this.#end;
      return undefined;
    }
    if (this.#position + this.#pending.length + value.length > this.#limit) {
      throw new Obstruction(
        'unreadable',
        `expected at most ${this.#limit} bytes unpacked, got more`,
      );
    }
    return value;
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  if (head.length === 0) return tail;
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
