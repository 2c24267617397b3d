/** The context of this process: disk, environment and process, put together once. */
import type { Context } from '../context.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { EspError } from '../error.ts';
import { nodeMachine } from '../process/node-machine.ts';
import { writeOutput } from '../process/standard-output.ts';
import { partsOf, type Text } from '../process/styled-text.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { fromEnvironment } from '../settings/settings.ts';
import { secretsRunner } from '../survey/initrd-secrets-runner.ts';
import { columnsOf, lookOf } from '../terminal/screen.ts';

/**
 * Returns the context of this process. `program` is the program's own file; `onCrowd` is called when a
 * directory with very many files was read.
 */
export function processContext(program: URL, onCrowd?: () => void): Context {
  const disk = nodeDisk(onCrowd);
  const context = {
    disk,
    host: disk,
    machine: nodeMachine(program),
    environment: process.env,
    uid: process.getuid?.() ?? 0,
    processId: process.pid,
    now: Math.floor(Date.now() / 1000),
    print: (text: Text) =>
      writeOutput(typeof text === 'string' ? `${text}\n` : [...partsOf(text), '\n'], () =>
        lookOf(process.env),
      ),
    columns: () => columnsOf(process.env),
  };
  return { ...context, runSecrets: secretsRunner(context) };
}

/** What a person asks for when they name another root. */
interface Asked {
  readonly flags: RawSettings;
  /** Whether the programs of that system that add secrets may run here. */
  readonly runsSecrets: boolean;
}

/**
 * Returns a context in which every path is one below another root.
 * @throws {CONFIG_INVALID} when there is no such directory
 */
export async function contextBelow(
  root: string,
  context: Context,
  { flags, runsSecrets }: Asked,
): Promise<Context> {
  const real = context.host.realPath(root);
  if (real === undefined || context.host.stat(real)?.kind !== 'directory') {
    throw new EspError('CONFIG_INVALID', `--root ${root}: no such directory`, {
      hint: 'mount the system first, and its ESP below it',
    });
  }
  if (real === '/') return context;
  const { rootedDisk } = await import('../disk/rooted-disk.ts');
  const disk = rootedDisk(context.host, real);
  return {
    ...context,
    disk,
    given: new Set([...Object.keys(flags), ...Object.keys(fromEnvironment(context.environment))]),
    // A root in a chroot(2) is root all the same: it runs only if whoever is here says so.
    runSecrets: runsSecrets
      ? secretsRunner({ ...context, disk })
      : async ({ program }) => {
          throw notRun(program, root);
        },
  };
}

function notRun(program: string, root: string): EspError {
  return new EspError(
    'INITRD_SECRETS_FAILED',
    `initrd secrets program ${program} is not run: the system in ${root} names it, and it would run here as this user`,
    { hint: 'if you trust that system as this one, give --run-secrets' },
  );
}
