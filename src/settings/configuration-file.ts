/** Finds and parses the configuration file. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** Unchecked values from one place, by setting name. */
export type RawSettings = Readonly<Record<string, unknown>>;

/** The configuration file when no flag and no variable names another. */
export const CONFIG_FILE = '/etc/espalier.toml';
const CONFIG_LIMIT = 1024 * 1024;

/**
 * Returns the values of a configuration file. A missing file that nobody named has no values.
 * @throws {CONFIG_INVALID} when a named file is missing, and when the text is no TOML
 */
export async function readConfigurationFile(
  disk: Disk,
  file: string,
  isNamed: boolean,
): Promise<RawSettings> {
  const text = readConfigurationText(disk, file);
  if (text === undefined) {
    if (!isNamed) return {};
    throw new EspError('CONFIG_INVALID', `${file}: there is no such configuration file`, {
      hint: 'correct --config or ESPALIER_CONFIG',
    });
  }
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column, codeblock, message } = error;
    const [what = ''] = message.replace(/^Invalid TOML document: /, '').split('\n');
    const cause = new Error(`of line ${line}:${column}: ${what}`);
    throw new EspError('CONFIG_INVALID', `${file}: not TOML`, {
      cause,
      hint: `correct line ${line}\n${codeblock.trimEnd().replace(/^/gm, '    ')}`,
    });
  }
}

/** Returns the text of a configuration file; undefined when it is missing. */
export function readConfigurationText(disk: Disk, file: string): string | undefined {
  if (!disk.stat(file)) return undefined;
  return new TextDecoder().decode(disk.read(file, CONFIG_LIMIT));
}
