/** Which lines loader.conf gets besides what boots next: whose they are, and which cannot stay. Pure. */
import { type Line, lastValue } from '../bls.ts';
import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES_SREL, LOADER_CONF } from '../esp/layout.ts';
import {
  type BootsNext,
  isKnownKey,
  parseKept,
  parseLoaderConf,
  type Salvage,
  salvageSettings,
} from '../loader/loader-conf.ts';
import { type LoaderConfDamage, loaderConfDamage } from '../loader/loader-conf-damage.ts';
import { valueFault } from '../loader/loader-values.ts';
import { enumerated } from '../quantity.ts';
import { isUnsigned } from '../signer/signer.ts';
import type { WantedSystem } from './wanted-system.ts';

/** What decides which lines there are, beside the ESP. */
type Wanted = Pick<WantedSystem, 'settings' | 'loaderConf' | 'signer'>;

/**
 * Loader settings: from the file given, else from the configuration, else those in force. With a key
 * the editor is off unless somebody says otherwise: whoever is at the keyboard could change what the
 * signature does not cover.
 */
export function loaderSettings(wanted: Wanted, inventory: Inventory, next: BootsNext): Salvage {
  const { kept, lost } = configured(wanted) ?? inForce(wanted, inventory, next);
  // A file that says what boots next, too, is all that somebody wants to have there.
  const isWhole = wanted.settings['keep-default'] && wanted.loaderConf !== undefined;
  const isSaid =
    isWhole ||
    kept.some(([key, value]) => key === EDITOR_OFF[0] && valueFault(key, value) === undefined);
  return { kept: isSaid || isUnsigned(wanted.signer) ? kept : [...kept, EDITOR_OFF], lost };
}

const EDITOR_OFF: Line = ['editor', 'no'];

function configured({ settings, loaderConf }: Wanted): Salvage | undefined {
  if (loaderConf !== undefined) return { kept: parseLoaderConf(loaderConf), lost: [] };
  const lines = Object.entries(settings.loader);
  if (lines.length === 0) return undefined;
  return { kept: lines.map(([key, value]) => [key, String(value)]), lost: [] };
}

function inForce(
  { signer }: Wanted,
  { loaderConf, keptSettings }: Inventory,
  next: BootsNext,
): Salvage {
  // Where a replacement was cut short, loader.conf may be a part of what it was, of any size.
  const kept = keptSettings && parseKept(keptSettings);
  if (kept !== undefined) return withRoom(parseLoaderConf(kept), signer, next);
  const damage = damageOf({ loaderConf, keptSettings });
  if (loaderConf === undefined || damage?.isOurs) return { kept: DEFAULTS, lost: [] };
  const text = new TextDecoder().decode(loaderConf);
  const found = withRoom(parseLoaderConf(text), signer, next);
  // Damage that leaves no setting is no choice of anyone.
  const isLost = damage && !found.kept.some(([key]) => isKnownKey(key));
  return isLost ? { ...found, kept: DEFAULTS } : found;
}

/** What will be added to a long file of somebody else's must have room. */
function withRoom(found: readonly Line[], signer: Wanted['signer'], next: BootsNext): Salvage {
  if (isUnsigned(signer) || found.some(([key]) => key === EDITOR_OFF[0])) {
    return salvageSettings(found, next);
  }
  const { kept, lost } = salvageSettings([EDITOR_OFF, ...found], next);
  return { kept: kept.slice(1), lost };
}

/** Says what somebody else's loader.conf makes the loader do to the keys of this machine. */
export function describeEnrolment(wanted: Wanted, { kept }: Salvage): string[] {
  const isForced = lastValue(kept, 'secure-boot-enroll') === 'force';
  if (!isForced || configured(wanted) !== undefined) return [];
  return [
    `${LOADER_CONF} says secure-boot-enroll force, and no configuration does: in Setup Mode the loader enrols what is in loader/keys and asks nobody; set secure-boot-enroll under [loader], to force or to off`,
  ];
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

/** The most keys of lost settings in a warning. Damage may have left thousands. */
const NAMED = 5;

/** Returns a warning about the settings that do not stay. */
export function describeLost(keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  const quoted = keys.map((key) => JSON.stringify(key.slice(0, 40)));
  return [
    `${LOADER_CONF}: settings that do not fit or cannot be read are left out: ${enumerated(quoted, NAMED)}`,
  ];
}
