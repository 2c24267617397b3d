/**
 * The second executable: the command line of lanzaboote's `lzbt-systemd` 1.1. It translates that
 * command line into one of `install`, and decides nothing itself.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { requireEsp } from '../esp/mount.ts';
import { parseLink } from '../generation/profile.ts';
import type { RawSettings } from '../settings/configuration-file.ts';

/** Options of the `install` of lzbt, as commander parses them. */
interface Options {
  readonly system: string;
  readonly systemd: string;
  readonly systemdBootLoaderConfig: string;
  readonly allowUnsigned: boolean;
  readonly publicKey: string;
  readonly privateKey: string;
  readonly configurationLimit: number;
  readonly bootcountingInitialTries: number;
  readonly pcrlockDirectory?: string;
}

/**
 * Parses the command line, installs, and returns the exit status: 0 also when there are warnings.
 * @throws {CONFIG_INVALID} when the command line is wrong, caused by an error of commander's
 * @throws {NO_BOOTABLE_GENERATION} and everything else that `install` throws
 */
export async function run(
  argv: readonly string[],
  _version: string,
  context: Context,
): Promise<number> {
  const program = new Command('lzbt-systemd')
    .description('Installs NixOS generations on an EFI System Partition, as lanzaboote does.')
    .option('-q, --quiet', 'log errors only')
    .option('-v, --verbose', 'log more; repeatable', (_, before: number) => before + 1, 0)
    .exitOverride()
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => context.print(text.replace(/\n$/, '')),
    });
  declareInstall(program.command('install')).action(
    async (esp: string, generations: readonly string[], options: Options) => {
      const { quiet, verbose } = program.opts();
      const flags = toFlags(esp, generations, options, context);
      const verbosity = quiet === true ? -1 : Number(verbose);
      const print = quiet === true ? () => undefined : context.print;
      const { install } = await import('./install.ts');
      await install(
        { operands: [], flags, json: false, verbosity },
        { ...context, print, acceptsAnyInit: true },
      );
    },
  );
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode === 0) return 0;
    if (cause.code === 'commander.help') return 2;
    const message = cause.message.replace(/^error: /, '');
    const hint = 'see lzbt-systemd install --help';
    throw new EspError('CONFIG_INVALID', message, { hint, cause });
  }
}

/**
 * Returns the exit status that lanzaboote uses: 2 for a wrong command line, 1 for other failures.
 */
export function exitStatus({ cause }: EspError): number {
  return cause instanceof CommanderError ? 2 : 1;
}

function declareInstall(command: Command): Command {
  return command
    .description('Install generations, the newest of them to boot next.')
    .exitOverride()
    .argument('<ESP>', 'mount point of the ESP, or a directory to fill')
    .argument('[GENERATIONS...]', 'links, as /nix/var/nix/profiles/system-*-link')
    .requiredOption('--system <DOUBLE>', 'system of the boot loader, as x86_64-linux')
    .requiredOption('--systemd <PATH>', 'holds lib/systemd/boot/efi')
    .requiredOption('--systemd-boot-loader-config <FILE>', 'loader.conf')
    .option('--allow-unsigned <BOOL>', 'do without keys where there are none', truth, false)
    .requiredOption('--public-key <FILE>', 'PEM certificate to sign for')
    .requiredOption('--private-key <FILE>', 'PEM private key to sign with')
    .option('--configuration-limit <N>', 'newest generations to install, 0 for all', count, 1)
    .option('--bootcounting-initial-tries <N>', 'tries of a new entry, 0 for no counting', count, 0)
    .option('--pcrlock-directory <DIR>', 'where to write what will be measured');
}

function truth(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('expected true or false');
}

function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number from 0');
}

/**
 * Returns the equivalent flags of our `install`. As with lanzaboote, the environment names the
 * stub.
 */
function toFlags(
  esp: string,
  generations: readonly string[],
  options: Options,
  { disk, environment }: Context,
): RawSettings {
  const stub = environment['LANZABOOTE_STUB'];
  if (!stub) {
    throw new EspError('CONFIG_INVALID', 'LANZABOOTE_STUB: the variable is not set', {
      hint: 'set it to the path of the stub of lanzaboote',
    });
  }
  const { publicKey, privateKey, pcrlockDirectory } = options;
  const hasKeys = [publicKey, privateKey].some((path) => disk.stat(path) !== undefined);
  return {
    format: 'thin',
    stub,
    esp: [esp],
    'allow-directory': isPlainDirectory(disk, esp),
    profiles: requireLinks(generations),
    system: options.system,
    systemd: options.systemd,
    'loader-conf': options.systemdBootLoaderConfig,
    'keep-default': true,
    adopt: true,
    limit: options.configurationLimit,
    'boot-counting': options.bootcountingInitialTries,
    ...(pcrlockDirectory === undefined ? {} : { 'pcrlock-directory': pcrlockDirectory }),
    ...(options.allowUnsigned && !hasKeys
      ? { 'allow-unsigned': true }
      : { certificate: publicKey, 'private-key': privateKey, 'allow-insecure-key': true }),
  };
}

/**
 * Returns whether a path is no mounted ESP. For one, `install` also checks variables and access.
 */
function isPlainDirectory(disk: Context['disk'], path: string): boolean {
  try {
    requireEsp(disk, path, false, 'read');
    return false;
  } catch (error) {
    if (error instanceof EspError && PLAIN.includes(error.code)) return true;
    throw error;
  }
}

const PLAIN: readonly string[] = ['ESP_NOT_MOUNTED', 'ESP_NOT_FAT'];

/** Requires links: `install` would search a path that is no link for links. */
function requireLinks(generations: readonly string[]): readonly string[] {
  const other = generations.find((path) => !parseLink(path));
  if (generations.length > 0 && other === undefined) return generations;
  const message =
    other === undefined ? 'there is no generation to install' : `${other}: no link of a generation`;
  throw new EspError('NO_BOOTABLE_GENERATION', message, {
    hint: 'nothing was touched; name links, as /nix/var/nix/profiles/system-*-link',
  });
}
