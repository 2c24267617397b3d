/** Whether a loader.conf is whole: damage must not pass for somebody's settings. */
import { parseLines } from '../bls.ts';
import { isKnownKey, isSealed, isSector, SECTOR } from './loader-conf.ts';

/** What is wrong with a loader.conf. */
export interface LoaderConfDamage {
  readonly because: string;
  /** Whether we wrote the file: its settings are then those of the configuration, or the defaults. */
  readonly isOurs: boolean;
}

/**
 * Returns what is wrong with a loader.conf, or undefined when it is whole or somebody's edit. Damage
 * leaves a file as long as it was, or cuts it; an edit hardly ever does.
 */
export function loaderConfDamage(bytes: Uint8Array): LoaderConfDamage | undefined {
  const text = new TextDecoder().decode(bytes);
  const isCut = text !== '' && MARK.startsWith(text);
  const isOurs = isSector(bytes)
    ? OURS.test(text) || isAlike(text) || !/[^\0]/.test(text)
    : isCut || SEALED.test(text);
  const because = (isOurs ? ourDamage(bytes, text) : undefined) ?? textDamage(text);
  return because === undefined ? undefined : { because, isOurs };
}

/** Either of these survives what befalls the other: the first comment, and the name of an entry of ours. */
const OURS = /^# Written by espalier|^(?:default|preferred) \S+-generation-\S/m;
/** Settings of another system's file may name entries as ours; only the comment tells then. */
const SEALED = /^# Written by espalier/;
const MARK = '# Written by espalier: settings are made in its configuration.';

/** Some flipped bits leave most of the comment as it was. */
function isAlike(text: string): boolean {
  const same = [...MARK].filter((character, at) => text[at] === character);
  return same.length > MARK.length / 2;
}

function textDamage(text: string): string | undefined {
  if (text === '') return 'it is empty';
  if (text.includes('\0')) return 'it has NUL bytes, behind which no loader reads';
  if (text.includes('\ufffd')) return 'it is no text';
  const isSaid = text.split('\n').some((line) => !/^\s*(?:#|$)/.test(line));
  const isOther = isSaid && !parseLines(text).some(([key]) => isKnownKey(key));
  return isOther ? 'no line of it is a setting of the loader' : undefined;
}

function ourDamage(bytes: Uint8Array, text: string): string | undefined {
  const seal = isSector(bytes) ? isSealed(text) : undefined;
  if (seal !== undefined) return seal ? undefined : 'its text is not what was written';
  const wrong = wrongLine(text);
  if (wrong !== undefined) return `it has a line that nobody writes: ${JSON.stringify(wrong)}`;
  const isCut = bytes.length < SECTOR && !/^timeout .*\n/m.test(text);
  return isCut ? `it is cut to ${bytes.length} of ${SECTOR} bytes` : undefined;
}

/** Returns a line that systemd-boot passes over, or that is cut. */
function wrongLine(text: string): string | undefined {
  const lines = text.split('\n');
  const cut = lines.pop();
  const found = lines.find((line) => line !== '' && !line.startsWith('#') && !isSetting(line));
  return found?.slice(0, 40) ?? (cut || undefined)?.slice(0, 40);
}

/** The keys that take one of few values; any text may follow the others. */
const VALUES: Readonly<Record<string, RegExp>> = {
  timeout: /^(?:\d+|menu-(?:force|hidden|disabled))$/,
  editor: /^(?:1|0|y|n|t|f|yes|no|true|false|on|off)$/i,
};

function isSetting(line: string): boolean {
  const [[key, value] = []] = parseLines(line);
  if (key === undefined || value === undefined || !isKnownKey(key)) return false;
  return !/[\p{Cc}\ufffd]/u.test(line) && (VALUES[key]?.test(value) ?? true);
}
