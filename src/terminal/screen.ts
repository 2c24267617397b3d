/** Where printed text appears: how wide that is, and whether it has colours. It is the whole process's. */
import { EspError } from '../error.ts';
import type { Environment } from '../process/machine.ts';
import { isTerminal, STANDARD_OUTPUT, terminalColumns } from '../process/standard-output.ts';
import { isAsciiLocale, type Look, type Wish, wantsColour } from '../process/styled-text.ts';

/** What lines are made for where nobody says how wide they may be. */
export const USUAL_COLUMNS = 80;

const WISHES: readonly Wish[] = ['auto', 'always', 'never'];

let wish: Wish = 'auto';

/**
 * Takes what a person says about colours, for everything that is printed from now on.
 * @throws {CONFIG_INVALID} for anything but auto, always and never
 */
export function chooseColour(given: unknown = 'auto'): void {
  const found = WISHES.find((each) => each === given);
  if (found === undefined) {
    throw new EspError('CONFIG_INVALID', `--color: expected auto, always or never, got ${given}`, {
      hint: 'auto has colours on a terminal, unless NO_COLOR or TERM=dumb is set',
    });
  }
  wish = found;
}

/** Returns how text on a file of this process is shown. */
export function lookOf(environment: Environment, file = STANDARD_OUTPUT): Look {
  return {
    isColoured: wantsColour(wish, environment, () => isTerminal(file)),
    isAscii: isAsciiLocale(environment),
  };
}

/** Returns how many columns a line may fill: what COLUMNS says, else those of the terminal. */
export function columnsOf({ COLUMNS = '' }: Environment): number {
  if (/^[1-9]\d{0,3}$/.test(COLUMNS)) return Number(COLUMNS);
  // A terminal that nobody told how wide it is has 0.
  return terminalColumns(STANDARD_OUTPUT) || USUAL_COLUMNS;
}
