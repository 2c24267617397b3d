/** The command line: verbs, options and help. Does no work: each verb is loaded when it is called. */
import { Command, CommanderError, Option } from 'commander';
import type { Context } from '../context.ts';
import { writeOutput } from '../disk/standard-output.ts';
import { EspError } from '../error.ts';
import type { Invocation } from '../settings/invocation.ts';
import type { RawSettings } from '../settings/settings.ts';
import { contextBelow } from './process-context.ts';
import { GROUPS, VERBS, type VerbDeclaration } from './verbs.ts';

/**
 * Parses the command line, runs the verb and returns the exit status.
 * @throws {CONFIG_INVALID} when the command line is wrong
 */
export async function run(
  argv: readonly string[],
  version: string,
  context: Context,
): Promise<number> {
  let status = 0;
  const program = new Command('espalier')
    .description('Installs boot entries on an EFI System Partition.')
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeOut: writeOutput });
  for (const verb of VERBS) {
    const words = verb.name.split(' ');
    const command = commandFor(program, words).description(verb.summary);
    // The options of one verb are not cheap to declare, and no run has two.
    if (!words.every((word) => argv.includes(word))) continue;
    declare(command, verb, async (invocation) => {
      const { root, 'run-secrets': runsSecrets, ...flags } = invocation.flags;
      const named = root ?? context.environment['ESPALIER_ROOT'];
      const below =
        typeof named === 'string'
          ? await contextBelow(named, context, { flags, runsSecrets: runsSecrets === true })
          : context;
      const isLook = verb.runsNothing === true && runsSecrets !== true;
      const allowed = isLook ? { ...below, runSecrets: undefined } : below;
      status = await (await verb.load())({ ...invocation, flags }, allowed);
    });
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version arrive as errors with status 0; a bare `espalier` shows help and is misuse.
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') return 2;
    throw new EspError('CONFIG_INVALID', error.message.replace(/^error: /, ''), {
      hint: 'see espalier --help',
    });
  }
  return status;
}

/** The command that these words lead to, made where it is not there yet. */
function commandFor(program: Command, words: readonly string[]): Command {
  return words.reduce((parent, word) => {
    const found = parent.commands.find((command) => command.name() === word);
    return (
      found ??
      parent
        .command(word)
        .description(GROUPS[word] ?? '')
        .exitOverride()
    );
  }, program);
}

function declare(
  command: Command,
  { operands = [], options, example }: VerbDeclaration,
  action: (invocation: Invocation) => Promise<void>,
): void {
  for (const { syntax, help } of operands) command.argument(syntax, help);
  for (const option of options) {
    const declared = new Option(
      option.value === undefined ? `--${option.name}` : `--${option.name} <${option.value}>`,
      option.help,
    );
    if (option.repeatable) declared.argParser(collect);
    command.addOption(declared);
  }
  command
    .option('--json', 'print a JSON document')
    .option('-v, --verbose', 'log more; twice for every step', (_, before: number) => before + 1, 0)
    .option('-q, --quiet', 'log errors only')
    .addHelpText('after', `\nExample:\n  $ ${example}`)
    .action(async (...parameters: unknown[]) => {
      const named = parameters.slice(0, operands.length).flat();
      const { json, verbose, quiet, ...flags } = command.opts();
      await action({
        operands: named.filter((value) => typeof value === 'string'),
        flags: dashed(flags),
        json: json === true,
        verbosity: quiet === true ? -1 : Number(verbose),
      });
    });
}

function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Returns commander's camel-cased options under their flags' names. */
function dashed(options: Record<string, unknown>): RawSettings {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      value,
    ]),
  );
}
