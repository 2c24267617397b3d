/** Which lines loader.conf gets besides what boots next: whose they are, and which cannot stay. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES_SREL, LOADER_CONF } from '../esp/layout.ts';
import {
  type BootsNext,
  parseKept,
  parseLoaderConf,
  type Salvage,
  salvageSettings,
} from '../loader/loader-conf.ts';
import { type LoaderConfDamage, loaderConfDamage } from '../loader/loader-conf-damage.ts';
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
  if (kept !== undefined) return salvageSettings(parseLoaderConf(kept), next);
  const damage = damageOf({ loaderConf, keptSettings });
  if (loaderConf === undefined || damage?.isOurs) return { kept: DEFAULTS, lost: [] };
  const salvage = salvageSettings(parseLoaderConf(new TextDecoder().decode(loaderConf)), next);
  // Damage that leaves no setting is no choice of anyone.
  return damage && salvage.kept.length === 0 ? { ...salvage, kept: DEFAULTS } : salvage;
}

/** Without a timeout there is no menu, and nobody could choose another generation. */
const DEFAULTS: Salvage['kept'] = [['timeout', '5']];

/** Returns what is wrong with loader.conf, unless a whole file beside it says what it is to become. */
export function damageOf({
  loaderConf,
  keptSettings,
}: Pick<Inventory, 'loaderConf' | 'keptSettings'>): LoaderConfDamage | undefined {
  const isKept = keptSettings !== undefined && parseKept(keptSettings) !== undefined;
  return loaderConf === undefined || isKept ? undefined : loaderConfDamage(loaderConf);
}

/** Says which of the two files that every run heals were damaged, and what their content is now. */
export function describeDamage(inventory: Inventory): string[] {
  const { layoutDamage } = inventory;
  const damage = damageOf(inventory);
  const source = damage?.isOurs
    ? 'the settings of the configuration, or else the defaults: settings that were edited in it by hand belong into the configuration'
    : 'the settings that could still be read';
  return [
    ...(layoutDamage === undefined
      ? []
      : [`${ENTRIES_SREL} is damaged and written anew: ${layoutDamage}`]),
    // Power lost in the middle of a rename may leave an empty file: nothing of anybody's was in it.
    ...(damage === undefined || inventory.loaderConf?.length === 0
      ? []
      : [`${LOADER_CONF} is damaged and written anew, with ${source}: ${damage.because}`]),
  ];
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
