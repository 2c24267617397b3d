/** Parses the commands of an `Exec…=` setting (systemd.service(5) §Command Lines). */
import { badUnit } from './complaint.ts';
import { parseWords } from './words.ts';

/** One command as written: specifiers and variables are not replaced. */
export interface ExecCommand {
  /** Absolute, or a bare name that is looked up when it runs. */
  readonly program: string;
  /** The words after the program. With prefix `@` the name that follows the program is left out. */
  readonly parameters: readonly string[];
  /** Prefix `-`: the service goes on when the command fails, or does not exist. */
  readonly mayFail: boolean;
}

/** The prefixes of systemd 258, in any order. */
const PREFIX = /^[-@:+!|]*/;

/** A bare name, or the path of a file that is absolute once its specifiers are replaced. */
const PROGRAM = /^(?!\.\.?$)[^/]+$|^[/%].*[^/]$/s;

/**
 * Returns the commands of one assignment.
 * @throws {CONFIG_INVALID} when a quote is not closed, or a program is neither absolute nor a name
 */
export function parseExec(value: string): ExecCommand[] {
  const commands: string[][] = [[]];
  for (const { text, raw } of parseWords(value)) {
    if (raw === ';') commands.push([]);
    else commands.at(-1)?.push(raw === '\\;' ? ';' : text);
  }
  return commands.filter((words) => words.length > 0).map((words) => toCommand(words, value));
}

function toCommand([first = '', ...rest]: readonly string[], value: string): ExecCommand {
  const prefix = PREFIX.exec(first)?.[0] ?? '';
  const program = first.slice(prefix.length);
  if (!PROGRAM.test(program)) {
    throw badUnit(`${value}: expected an absolute path or a name to execute, got "${program}"`);
  }
  return {
    program,
    parameters: prefix.includes('@') ? rest.slice(1) : rest,
    mayFail: prefix.includes('-'),
  };
}
