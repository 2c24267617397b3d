/** The world of this process, put together once at the edge. */
import type { Context } from '../context.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { writeOutput } from '../disk/standard-output.ts';
import { EspError } from '../error.ts';

/** Loaded when a generation has secrets: the runner needs `node:child_process`. */
const secretsRunner = async () =>
  (await import('../disk/initrd-secrets-runner.ts')).appendInitrdSecrets;

/**
 * Returns the context of this process. `workerEntry` is the program's own file; `onCrowd` is called
 * when a directory with very many files was read.
 */
export function processContext(workerEntry: URL, onCrowd?: () => void): Context {
  const disk = nodeDisk(onCrowd);
  return {
    disk,
    host: disk,
    locate: (path) => path,
    isElsewhere: false,
    environment: process.env,
    uid: process.getuid?.() ?? 0,
    processId: process.pid,
    now: Math.floor(Date.now() / 1000),
    runSecrets: async (secrets) => (await secretsRunner())(secrets),
    workerEntry,
    print: (text) => writeOutput(`${text}\n`),
  };
}

/**
 * Returns a context in which every path is one below another root.
 * @throws {CONFIG_INVALID} when there is no such directory
 */
export async function contextBelow(root: string, context: Context): Promise<Context> {
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
    runSecrets: async ({ program, initrd, directory }) => {
      const made = await (await secretsRunner())(
        { program, initrd: disk.locate(initrd), directory: disk.locate(directory) },
        { root: real },
      );
      return { ...made, path: made.path.slice(real.length) };
    },
  };
}
