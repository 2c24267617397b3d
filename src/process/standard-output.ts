/** Results on standard output, without the stream machinery that a short text does not need. */
import * as fs from 'node:fs';
import { errno, ioError } from '../io-error.ts';

const STANDARD_OUTPUT = 1;

/**
 * Returns text with every character that could steer a terminal, but for line ends and tabs, in the
 * form that JSON has for it: names and titles come from places where anyone may have put them. A JSON
 * document says the same as before.
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

/** Writes text to standard output. A reader that has gone away, as `head` does, is no error. */
export function writeOutput(text: string): void {
  const bytes = new TextEncoder().encode(unsteered(text));
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(STANDARD_OUTPUT, bytes, done);
    } catch (error) {
      if (errno(error) === 'EPIPE') return;
      if (errno(error) !== 'EAGAIN') throw ioError('write to', 'standard output', error);
      // Somebody made the pipe non-blocking and it is full: the stream knows how to wait.
      process.stdout.write(bytes.subarray(done));
      return;
    }
  }
}
