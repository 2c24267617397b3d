/** The programs that make file systems: where they are, how new they are, how they are run. */
import { EspError } from '../error.ts';
import { boundedEnvironment } from '../process/environment.ts';
import type { Environment, Machine, Program } from '../process/machine.ts';
import type { Workshop } from './request.ts';

/** A program, and where it comes from. */
export interface Tool {
  readonly name: string;
  /** The packages of Debian and of Nix that have it. */
  readonly debian: string;
  readonly nix: string;
  /** What makes it print its version. */
  readonly version: string;
}

export const MKFS_EXT4: Tool = {
  name: 'mkfs.ext4',
  debian: 'e2fsprogs',
  nix: 'e2fsprogs',
  version: '-V',
};
export const DEBUGFS: Tool = { ...MKFS_EXT4, name: 'debugfs' };
export const MKFS_EROFS: Tool = {
  name: 'mkfs.erofs',
  debian: 'erofs-utils',
  nix: 'erofs-utils',
  version: '--version',
};
export const SQFSTAR: Tool = {
  name: 'sqfstar',
  debian: 'squashfs-tools',
  nix: 'squashfsTools',
  version: '-version',
};
export const MKFS_BTRFS: Tool = {
  name: 'mkfs.btrfs',
  debian: 'btrfs-progs',
  nix: 'btrfs-progs',
  version: '--version',
};
export const GETFATTR: Tool = {
  name: 'getfattr',
  debian: 'attr',
  nix: 'attr',
  version: '--version',
};
export const NIX_STORE: Tool = {
  name: 'nix-store',
  debian: 'nix-bin',
  nix: 'nix',
  version: '--version',
};
export const TAR: Tool = { name: 'tar', debian: 'tar', nix: 'gnutar', version: '--version' };

/** A program that was found. */
export interface FoundTool {
  readonly tool: Tool;
  readonly path: string;
  /** As it prints it: `1.47.0`. */
  readonly version: string;
}

/** In milliseconds. */
const VERSION_TIMEOUT = 30_000;
/** In bytes. */
const VERSION_LIMIT = 1024 * 1024;
/** In seconds. The largest images take an hour on a slow machine. */
const TIMEOUT = 4 * 3600;

/** PATH of a plain user lacks these, and everyone may run what is in them. */
const SYSTEM_PLACES = '/usr/sbin:/sbin';

/** Returns what a program gets: the usual few variables, no translated messages, and `extra`. */
function variables(environment: Environment, extra: Environment): Environment {
  const { PATH, HOME } = boundedEnvironment(environment);
  return { PATH: `${PATH}:${SYSTEM_PLACES}`, HOME, LANG: 'C', LC_ALL: 'C', TZ: 'UTC', ...extra };
}

/** The version that a program must have, and what for where older ones do the rest. */
export interface Least {
  readonly version: string;
  readonly why?: string;
}

/**
 * Finds a program that is at least of a version.
 * @throws {TOOL_MISSING}
 */
export function findTool(
  tool: Tool,
  least: Least,
  { machine, environment }: Pick<Workshop, 'machine' | 'environment'>,
): FoundTool {
  const path = machine.findProgram(tool.name, variables(environment, {}));
  if (path === undefined) throw missing(tool, least, undefined);
  const version = versionOf(tool, path, machine);
  if (isAtLeast(version, least.version)) return { tool, path, version };
  throw missing(tool, least, `${path} is ${version}`);
}

function versionOf(tool: Tool, path: string, machine: Machine): string {
  const { stdout, messages, error } = machine.ask({
    argv: [path, tool.version],
    timeout: VERSION_TIMEOUT,
    limit: VERSION_LIMIT,
    messages: 'kept',
  });
  const said = `${new TextDecoder().decode(stdout)} ${messages}`;
  const version = /(\d+(?:\.\d+)+)/.exec(said)?.[1];
  if (version !== undefined) return version;
  throw new EspError('TOOL_FAILED', `${path} ${tool.version}: expected a version, got none`, {
    cause: error,
  });
}

/** Compares versions number by number. */
export function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [version, least].map((text) => text.split('.').map(Number));
  const at = want?.findIndex((part, index) => part !== (have?.[index] ?? 0)) ?? -1;
  return at < 0 || (have?.[at] ?? 0) > (want?.[at] ?? 0);
}

/** Programs that are not there, or too old. */
export class MissingTool extends EspError {
  readonly tools: readonly Tool[];

  constructor(tools: readonly Tool[], message: string, hint: string | undefined) {
    super('TOOL_MISSING', message, { hint });
    this.tools = tools;
  }
}

/** Returns one error for several: a person installs all that is missing at once. */
export function allMissing([first, ...others]: readonly [
  MissingTool,
  ...MissingTool[],
]): MissingTool {
  if (others.length === 0) return first;
  const all = [first, ...others];
  const tools = all.flatMap((one) => one.tools);
  const packages = (of: 'debian' | 'nix') => [...new Set(tools.map((tool) => tool[of]))].join(' ');
  return new MissingTool(
    tools,
    [...new Set(all.map(({ message }) => message))].join('; '),
    `apt-get install ${packages('debian')}, or nix-shell -p ${packages('nix')}`,
  );
}

/**
 * Looks for several programs.
 * @throws {TOOL_MISSING} naming all that are not there, or too old
 */
export function requireTools(
  wanted: readonly (readonly [tool: Tool, least: Least])[],
  workshop: Workshop,
): void {
  const [first, ...others] = wanted.flatMap(([tool, least]) => {
    try {
      findTool(tool, least, workshop);
      return [];
    } catch (error) {
      if (error instanceof MissingTool) return [error];
      throw error;
    }
  });
  if (first !== undefined) throw allMissing([first, ...others]);
}

function missing(tool: Tool, { version, why }: Least, found: string | undefined): EspError {
  const purpose = why === undefined ? '' : ` for ${why}`;
  const there = found ?? 'there is none';
  const debian =
    found === undefined ? `apt-get install ${tool.debian}` : `${tool.debian} of a newer Debian`;
  return new MissingTool(
    [tool],
    `${tool.name}: expected version ${version} or newer${purpose}, but ${there}`,
    `${debian}, or nix-shell -p ${tool.nix}`,
  );
}

/** How a program is run. */
export interface Run {
  readonly argv: readonly string[];
  readonly environment?: Environment;
  readonly input?: Program['input'];
  readonly judge?: (messages: string) => string | undefined;
}

/**
 * Runs a program to its end.
 * @throws {TOOL_FAILED} with its last messages
 */
export async function runTool(
  { tool, path, version }: FoundTool,
  { argv, environment: extra = {}, input, judge }: Run,
  { machine, environment, scratch }: Workshop,
): Promise<void> {
  const complaint = await machine.run(
    {
      argv: [path, ...argv],
      directory: scratch,
      environment: variables(environment, extra),
      ...(input !== undefined && { input }),
    },
    { timeout: TIMEOUT, ...(judge !== undefined && { judge }) },
  );
  if (complaint === undefined) return;
  const { what, cause } = complaint;
  throw new EspError('TOOL_FAILED', `${tool.name} ${version} ${what}`, { cause });
}
