/**
 * Decides which lines loader.conf gets besides what boots next, and which lines cannot stay. Pure.
 */
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

/**
 * Returns the loader settings: of the given file, else of the configuration, else the present ones.
 */
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
  // If a replacement was cut short, loader.conf may be any part of the old file.
  const kept = keptSettings && parseKept(keptSettings);
  // After a power failure, a file system check may leave our file empty. Nobody chose that.
  const text = kept ?? new TextDecoder().decode(loaderConf);
  return text.length > 0
    ? salvageSettings(parseLoaderConf(text), next)
    : { kept: [['timeout', '5']], lost: [] };
}

/** The most keys of lost settings in a warning. Damage may have left thousands. */
const NAMED = 5;

/** Returns a warning about the settings that do not stay. */
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
