/** What the machine that runs the tests has to compare with. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const DIRECTORIES = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];

/** Whether a program is installed. */
export function hasTool(name: string): boolean {
  return DIRECTORIES.some((directory) => existsSync(`${directory}/${name}`));
}

/** The service manager, which can say how it reads a unit: `--test` loads units and starts none. */
const MANAGER = '/lib/systemd/systemd';

/** Nobody: the manager refuses to test as root. */
const NOBODY = 65534;

/**
 * Returns what the service manager reads in the units of a directory that anyone may read, as its
 * dump has it, or undefined where there is no manager that tells.
 */
export function dumpUnit(directory: string, unit: string): string | undefined {
  if (!existsSync(MANAGER)) return undefined;
  const asRoot = process.getuid?.() === 0;
  const { stdout, status } = spawnSync(
    MANAGER,
    ['--test', '--system', `--unit=${unit}`, '--no-pager'],
    {
      encoding: 'utf8',
      env: { SYSTEMD_UNIT_PATH: directory },
      timeout: 120_000,
      maxBuffer: 1 << 26,
      ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    },
  );
  const start = stdout?.indexOf(`-> Unit ${unit}:`) ?? -1;
  if (status !== 0 || start < 0) return undefined;
  const end = stdout.indexOf('-> Unit ', start + 1);
  return stdout.slice(start, end < 0 ? undefined : end);
}
