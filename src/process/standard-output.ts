/** Writes results to standard output, without the cost of streams for a short text. */
import * as fs from 'node:fs';
import { errno, ioError } from '../io-error.ts';

const STANDARD_OUTPUT = 1;

/**
 * Returns text in which every character that could control a terminal has its JSON escape. Line
 * ends and tabs stay. Names and titles come from places where anyone may have put such characters.
 * The meaning of a JSON document stays the same.
 */
export function unsteered(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, escaped);
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** Writes text to standard output. A reader that has gone away, such as `head`, is no error. */
export function writeOutput(text: string): void {
  const bytes = new TextEncoder().encode(unsteered(text));
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(STANDARD_OUTPUT, bytes, done);
    } catch (error) {
      if (errno(error) === 'EPIPE') return;
      if (errno(error) !== 'EAGAIN') throw ioError('write to', 'standard output', error);
      // The pipe is full and non-blocking. The stream knows how to wait for it.
      process.stdout.write(bytes.subarray(done));
      return;
    }
  }
}
