/** The command line: verbs, options and help. A verb's file is loaded when the verb is called. */
import { Command, CommanderError, Option } from 'commander';
import type { Context } from '../context.ts';
import { EXIT_USAGE } from '../error.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import type { Invocation } from '../settings/invocation.ts';
import { chooseLogStyle, isJournal } from '../terminal/log-style.ts';
import { openProgress } from '../terminal/progress.ts';
import { chooseColour } from '../terminal/screen.ts';
import { commandLineError, isMisuse, withHelp } from './command-line-error.ts';
import { versionDocument } from './identity.ts';
import { contextBelow } from './process-context.ts';
import { GROUPS, optionsOf, type VerbDeclaration } from './verb.ts';
import { VERBS } from './verbs.ts';

/**
 * Parses the command line, runs the verb and returns the exit status.
 * @throws {CONFIG_INVALID} when the command line is wrong
 */
export async function run(
  argv: readonly string[],
  version: string,
  context: Context,
): Promise<number> {
  if (argv.length === 2 && argv.includes('--version') && argv.includes('--json')) {
    context.print(JSON.stringify(versionDocument(version, context.machine), undefined, 2));
    return 0;
  }
  let status = 0;
  const program = new Command('espalier')
    .description('Installs boot entries on an EFI System Partition.')
    .version(version)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => context.print(text.replace(/\n$/, '')),
    });
  for (const verb of VERBS) {
    const words = verb.name.split(' ');
    const command = commandFor(program, words).description(verb.summary);
    // Declaring the options of a verb is slow, and one run needs those of one verb.
    if (!words.every((word) => argv.includes(word))) continue;
    command.exitOverride((error) => {
      throw isMisuse(error) ? commandLineError(error, argv, verb) : error;
    });
    declare(command, verb, async (invocation) => {
      status = await perform(verb, invocation, context);
    });
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version arrive as errors with status 0; a bare `espalier` shows help and is misuse.
    if (isMisuse(error)) throw commandLineError(error, argv);
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
  return status;
}

/** Loads a verb and runs it, below the directory that `--root` names. */
async function perform(
  verb: VerbDeclaration,
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const { root, 'run-secrets': runsSecrets, ...given } = invocation.flags;
  const { 'log-format': format, color, ...flags } = given;
  const { environment, host } = context;
  chooseLogStyle(format ?? environment['ESPALIER_LOG_FORMAT'], isJournal(host, environment));
  chooseColour(color);
  const named = root ?? context.environment['ESPALIER_ROOT'];
  const asked = { flags, runsSecrets: runsSecrets === true };
  const below = typeof named === 'string' ? await contextBelow(named, context, asked) : context;
  const isLook = verb.runsNothing === true && !asked.runsSecrets;
  const looks = verb.runsNothing === true ? { ...below, looksOnly: true as const } : below;
  const allowed = isLook ? { ...looks, runSecrets: undefined } : looks;
  using progress = openProgress(invocation, environment);
  try {
    return await (await verb.load(VERBS))({ ...invocation, flags }, { ...allowed, progress });
  } catch (error) {
    throw withHelp(error, verb);
  }
}

/** Returns the command for these words, and makes it when it is missing. */
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
  verb: VerbDeclaration,
  action: (invocation: Invocation) => Promise<void>,
): void {
  const { operands = [], example } = verb;
  for (const { syntax, help } of operands) command.argument(syntax, help);
  for (const option of optionsOf(verb)) {
    const declared = new Option(
      option.value === undefined ? `--${option.name}` : `--${option.name} <${option.value}>`,
      option.help,
    );
    if (option.repeatable) declared.argParser(collect);
    command.addOption(declared);
  }
  if (verb.withoutDocument === undefined) command.option('--json', 'print a JSON document');
  command
    .option('-v, --verbose', 'log more; -vv logs every step', (_, before: number) => before + 1, 0)
    .option('-q, --quiet', 'log errors only')
    .option('--log-format <FORMAT>', 'lines of the log: text or json (default: text)')
    .option('--color <WHEN>', 'colours: auto, always or never (default: auto)')
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
