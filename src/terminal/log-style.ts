/** How the lines of the log look. It is the whole process's, because there is one standard error. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

export type LogStyle = 'text' | 'json' | 'journal' | 'journal-json';

let style: LogStyle = 'text';

/** Returns the style that was chosen. */
export function logStyle(): LogStyle {
  return style;
}

/**
 * Chooses the style of every log that is opened from now on.
 * @param format what a person asked for: `text`, which is the default, or `json`
 * @param journal whether stderr is connected to the journal, see {@link isJournal}
 * @throws {CONFIG_INVALID} for another format
 */
export function chooseLogStyle(format: unknown, journal: boolean): void {
  if (format !== undefined && format !== 'text' && format !== 'json') {
    throw new EspError('CONFIG_INVALID', `--log-format: expected text or json, got ${format}`, {
      hint: 'lines are sentences by default; json is for programs',
    });
  }
  const isJson = format === 'json';
  if (journal) style = isJson ? 'journal-json' : 'journal';
  else style = isJson ? 'json' : 'text';
}

/**
 * Returns whether systemd connected stderr to the journal. `JOURNAL_STREAM` names the device and
 * inode of that connection (systemd.exec(5)); the inode differs when somebody redirected stderr.
 */
export function isJournal(
  disk: Pick<Disk, 'stat'>,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const stream = environment['JOURNAL_STREAM'];
  const stat = stream === undefined ? undefined : disk.stat('/proc/self/fd/2');
  return stat !== undefined && stream === `${stat.device}:${stat.inode}`;
}
