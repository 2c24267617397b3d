/** The settings of the boot loader that are to stay: whose they are, and which cannot. */

import type { Context } from '../context.ts';
import type { Inventory } from '../esp/inventory.ts';
import { LOADER_CONF } from '../esp/layout.ts';
import { readLoaderConf } from '../esp/loader-conf-file.ts';
import {
  type BootsNext,
  parseKept,
  parseLoaderConf,
  type Salvage,
  salvageSettings,
} from '../loader/loader-conf.ts';
import type { Survey } from '../survey/surveyed.ts';

/** Loader settings: from the file given, else from the configuration, else those in force. */
export function loaderSettings(
  { settings }: Survey,
  { loaderConf, keptSettings }: Inventory,
  next: BootsNext,
  { disk }: Context,
): Salvage {
  const file = settings['loader-conf'];
  if (file !== undefined) {
    return { kept: parseLoaderConf(readLoaderConf(file, disk)), lost: [] };
  }
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
