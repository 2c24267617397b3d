/** The last that a program said: bounded, on one line, and without what could steer a terminal. */
import type { Readable } from 'node:stream';

/** How many of the last characters of stderr are kept. */
const TAIL_LIMIT = 4096;
/** How many of the last lines of stderr a complaint shows. */
const TAIL_LINES = 5;
/** How much of each line, in UTF-16 units. */
const LINE_LIMIT = 200;

/** Reads a stream to its end and remembers only its last characters; returns what tells them. */
export function keepTail(stream: Readable): () => string {
  let tail = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-TAIL_LIMIT);
  });
  return () => tail;
}

/** Returns the last lines of what a program said behind a colon, or nothing when it said nothing. */
export function lastLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) =>
      line
        .replace(/\p{Cc}/gu, ' ')
        .trim()
        .slice(0, LINE_LIMIT),
    )
    .filter((line) => line !== '')
    .slice(-TAIL_LINES);
  return lines.length === 0 ? '' : `: ${lines.join(' / ')}`;
}
