/** How the demo speaks: numbered stages with their time, and a count of what was left out. */
import { styleText } from 'node:util';

/** Thrown by a stage that cannot be done here, with the reason; the demo goes on without it. */
export class LeftOut extends Error {
  override readonly name = 'LeftOut';
}

/** Tells one thing below the heading of a stage. */
export function say(text: string): void {
  console.log(`   ${text}`);
}

/** The stages of one run. */
export interface Stages {
  /** Runs a stage and returns its result, or undefined when it was left out. */
  run<T>(title: string, work: () => T | Promise<T>): Promise<T | undefined>;
  /** The titles of the stages that were left out. */
  readonly leftOut: readonly string[];
  /** Seconds since the first stage began. */
  elapsed(): number;
}

/** Starts counting stages. */
export function startStages(): Stages {
  const leftOut: string[] = [];
  const began = performance.now();
  let number = 0;
  return {
    leftOut,
    elapsed: () => seconds(began),
    async run(title, work) {
      number += 1;
      const start = performance.now();
      console.log(`\n${styleText('bold', `${number}. ${title}`)}`);
      try {
        const result = await work();
        say(styleText('dim', `${seconds(start)} s`));
        return result;
      } catch (error) {
        if (!(error instanceof LeftOut)) throw error;
        leftOut.push(title);
        say(styleText(['bold', 'yellow'], `LEFT OUT: ${error.message}`));
        return undefined;
      }
    },
  };
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10;
}
