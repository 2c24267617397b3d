/** Results on standard output, without the stream machinery that a short text does not need. */
import * as fs from 'node:fs';
import { errno, ioError } from './io-error.ts';

const STANDARD_OUTPUT = 1;

/** Writes text to standard output. A reader that has gone away, as `head` does, is no error. */
export function writeOutput(text: string): void {
  const bytes = new TextEncoder().encode(text);
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
