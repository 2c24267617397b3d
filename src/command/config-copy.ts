/** `config copy`: hands the configuration file to a service that cannot see its changes. */
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { translated } from '../io-error.ts';
import { readConfigurationText } from '../settings/configuration-file.ts';
import type { Invocation } from '../settings/invocation.ts';
import { configurationFile } from '../settings/settings.ts';

/**
 * Writes the text of the configuration file to another; a missing file becomes an empty one. It checks
 * nothing: the service that reads the copy does, and says what is wrong in its own journal.
 * @throws {CONFIG_INVALID} when a process is named that is no number
 * @throws {IO} when it takes no signal: the copy is written all the same
 */
export async function configCopy(
  { operands: [target = ''], flags }: Invocation,
  { disk, environment }: Context,
): Promise<number> {
  const { file } = configurationFile(flags['config'], environment);
  const process = flags['hangup'] === undefined ? undefined : processNumber(flags['hangup']);
  await disk.replaceText(target, readConfigurationText(disk, file) ?? '', 'owner');
  if (process !== undefined) {
    translated('send SIGHUP to', `process ${process}`, () =>
      globalThis.process.kill(process, 'SIGHUP'),
    );
  }
  return 0;
}

function processNumber(value: unknown): number {
  if (/^[1-9][0-9]{0,9}$/.test(String(value))) return Number(value);
  throw new EspError('CONFIG_INVALID', `--hangup: expected the number of a process, got ${value}`, {
    hint: 'give the one that systemd names in MAINPID',
  });
}
