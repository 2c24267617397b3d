/** The world of this process, put together once at the edge. */
import type { Context } from '../context.ts';
import { appendInitrdSecrets } from '../disk/initrd-secrets-runner.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { writeOutput } from '../disk/standard-output.ts';
import { EspError } from '../error.ts';
import { fromEnvironment, type RawSettings } from '../settings/settings.ts';

/** Returns the context of this process. `workerEntry` is the program's own file. */
export function processContext(workerEntry: URL): Context {
  const disk = nodeDisk();
  return {
    disk,
    host: disk,
    locate: (path) => path,
    isElsewhere: false,
    environment: process.env,
    uid: process.getuid?.() ?? 0,
    processId: process.pid,
    now: Math.floor(Date.now() / 1000),
    runSecrets: (secrets) => appendInitrdSecrets(secrets, { steady }),
    workerEntry,
    print: (text) => writeOutput(`${text}\n`),
  };
}

/** Loaded when there are secrets: few systems have any. */
async function steady(appended: Uint8Array, offset: number): Promise<Uint8Array | undefined> {
  const [{ steadyArchive }, { findXz }] = await Promise.all([
    import('../initrd/steady-archive.ts'),
    import('../disk/xz-program.ts'),
  ]);
  return steadyArchive(appended, offset, findXz(process.env));
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
    locate: disk.locate,
    isElsewhere: true,
    given: new Set([...Object.keys(flags), ...Object.keys(fromEnvironment(context.environment))]),
    runSecrets: async ({ program, initrd, directory }) => {
      // A root in a chroot(2) is root all the same: it runs only if whoever is here says so.
      if (!runsSecrets) throw notRun(program, root);
      const made = await appendInitrdSecrets(
        { program, initrd: disk.locate(initrd), directory: disk.locate(directory) },
        { root: real, steady },
      );
      return { ...made, path: made.path.slice(real.length) };
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
