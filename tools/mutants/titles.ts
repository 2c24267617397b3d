/** A reporter of node:test that prints one line for each test: its title and how it ended, as JSON. */
import type { TestEvent } from 'node:test/reporters';

/** How a test ended. The title begins with those of the suites around it, divided by blanks. */
export interface Ending {
  readonly title: string;
  readonly ending: 'passed' | 'failed' | 'skipped';
}

/** What tells a line of the reporter from what a test prints. */
const MARK = 'test-ending ';

/** Yields the lines; node:test calls it by the name of this file. */
async function* titles(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  for await (const { type, data } of events) {
    // A suite begins before what is in it and ends after it: its title is at hand when those end.
    if (type === 'test:start') path.splice(data.nesting, path.length, data.name);
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const ran = type === 'test:pass' ? 'passed' : 'failed';
    const ending = data.skip === undefined || data.skip === false ? ran : 'skipped';
    const title = [...path.slice(0, data.nesting), data.name].join(' ');
    yield `${MARK}${JSON.stringify({ title, ending } satisfies Ending)}\n`;
  }
}

/** Returns the endings that the reporter printed among other output. */
export function parseEndings(output: string): readonly Ending[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(MARK))
    .map((line): Ending => JSON.parse(line.slice(MARK.length)));
}

// biome-ignore lint/style/noDefaultExport: node:test takes the default export of a reporter
export default titles;
