/**
 * Keeps the end of a program's messages: bounded, on one line, and without terminal control codes.
 */
import type { Readable } from 'node:stream';

/** How many of the last characters of stderr are kept. */
const TAIL_LIMIT = 4096;
/** How many of the last lines of stderr an error shows. */
const TAIL_LINES = 5;
/** The most characters of each line, in UTF-16 units. */
const LINE_LIMIT = 200;

/**
 * Reads a stream to its end and keeps its last characters. Returns a function that returns them.
 */
export function keepTail(stream: Readable): () => string {
  return keepEnds(stream).tail;
}

/** Reads a stream to its end and keeps its first and its last characters. */
export function keepEnds(stream: Readable): { head: () => string; tail: () => string } {
  let [head, tail] = ['', ''];
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    if (head.length < TAIL_LIMIT) head = (head + chunk).slice(0, TAIL_LIMIT);
    tail = (tail + chunk).slice(-TAIL_LIMIT);
  });
  return { head: () => head, tail: () => tail };
}

/** Returns ": " and the last lines of a program's messages, or nothing when there are none. */
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
