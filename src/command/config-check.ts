/** `config check`: which settings are in force, where each comes from, and what is wrong. */
import type { Context } from '../context.ts';
import { type EspError, EXIT_USAGE } from '../error.ts';
import type { Invocation } from '../settings/invocation.ts';
import { type SettingInForce, settingsInForce } from '../settings/settings.ts';
import { formatTable } from '../terminal/table.ts';

/**
 * Prints the settings that somebody set; with `-v` and in JSON the defaults too. Every mistake is
 * printed, and the status is then that of a wrong command line.
 * @throws {CONFIG_INVALID} when the configuration file cannot be read at all
 */
export async function configCheck(
  { flags, json, verbosity }: Invocation,
  { disk, environment, print }: Context,
): Promise<number> {
  const { inForce, mistakes } = await settingsInForce(flags, environment, disk);
  if (json) print(JSON.stringify(document(inForce, mistakes), undefined, 2));
  else {
    const shown = inForce.filter(({ from }) => from !== undefined || verbosity > 0);
    const rows = shown.map(({ name, value, from }) => [name, told(value), from ?? 'default']);
    if (rows.length > 0) print(formatTable(['SETTING', 'VALUE', 'FROM'], rows));
    for (const { message, hint } of mistakes)
      print([{ text: message, meaning: 'bad' }, hint ? `\n  hint: ${hint}` : '']);
    if (mistakes.length === 0 && rows.length === 0)
      print('nothing is set: every setting has its default');
  }
  return mistakes.length > 0 ? EXIT_USAGE : 0;
}

function document(inForce: readonly SettingInForce[], mistakes: readonly EspError[]): object {
  return {
    version: 1,
    verb: 'config check',
    settings: inForce.map(({ name, value, from }) => ({
      name,
      value: value ?? null,
      from: from ?? null,
    })),
    mistakes: mistakes.map(({ message, hint }) => ({ message, hint: hint ?? null })),
  };
}

function told(value: unknown): string {
  if (Array.isArray(value)) return value.map(told).join(', ');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
