/** Which lines loader.conf gets besides what boots next: whose they are, and which cannot stay. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { LOADER_CONF } from '../esp/layout.ts';
import {
  type BootsNext,
  parseKept,
  parseLoaderConf,
  type Salvage,
  salvageSettings,
} from '../loader/loader-conf.ts';
import type { WantedSystem } from './wanted-system.ts';

/** Loader settings: from the file given, else from the configuration, else those in force. */
export function loaderSettings(
  { settings, loaderConf: given }: Pick<WantedSystem, 'settings' | 'loaderConf'>,
  { loaderConf, keptSettings }: Inventory,
  next: BootsNext,
): Salvage {
  if (given !== undefined) return { kept: parseLoaderConf(given), lost: [] };
  const configured = Object.entries(settings.loader);
  if (configured.length > 0) {
    return { kept: configured.map(([key, value]) => [key, String(value)]), lost: [] };
  }
  // Where a replacement was cut short, loader.conf may be a part of what it was, of any size.
  const kept = keptSettings && parseKept(keptSettings);
  // An empty file is what a file system check may make of ours after a power failure: no choice of anyone.
  const text = kept ?? new TextDecoder().decode(loaderConf);
  return text.length > 0
    ? salvageSettings(parseLoaderConf(text), next)
    : { kept: [['timeout', '5']], lost: [] };
}

/** How many keys of lost settings are named; damage may have left thousands. */
const NAMED = 5;

/** Says which settings do not stay. */
export function describeLost(keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  const named = keys
    .slice(0, NAMED)
    .map((key) => JSON.stringify(key.slice(0, 40)))
    .join(', ');
  const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more` : '';
  return [
    `${LOADER_CONF}: settings that do not fit or cannot be read are left out: ${named}${more}`,
  ];
}
