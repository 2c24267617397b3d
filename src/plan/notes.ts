/** What changes how the machine boots, and is not ours: no damage, and nobody should miss it. Pure. */

import { lastValue } from '../bls.ts';
import type { Companion } from '../esp/companions.ts';
import type { Inventory } from '../esp/inventory.ts';
import { type EspPath, LOADER_CONF } from '../esp/layout.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { menuOf } from './menu.ts';
import { isReachKnown } from './startable.ts';
import type { EspView } from './view.ts';

/** Something to know about a file. */
export interface Note {
  readonly path: EspPath;
  readonly note: string;
}

/** Returns what there is to know of an ESP and the partitions that go with it. */
export function notesOf(view: EspView): readonly Note[] {
  const { inventory, elsewhere } = view;
  const listed = [view, ...elsewhere].flatMap(({ extras }) => extras);
  const own = new Set(listed.filter(({ records }) => records.length > 0).map(({ path }) => path));
  return [
    ...otherFallback(view),
    ...enrolment(inventory),
    ...deadEntries(view),
    ...[inventory, ...elsewhere.map((volume) => volume.inventory)]
      .flatMap(({ companions = [] }) => companions)
      .filter(({ path }, at, all) => all.findIndex((other) => other.path === path) === at)
      .map((companion) => ({
        path: companion.path,
        note: describe(companion, own.has(companion.path)),
      })),
  ];
}

/** Where firmware does not tell its boot entries, nobody knows whether it comes to our loader. */
function otherFallback(view: EspView): readonly Note[] {
  const [own, fallback] = view.loaders;
  if (!own || fallback?.installed.kind !== 'foreign' || isReachKnown(view)) return [];
  const note = `another system’s: firmware starts it, unless a boot entry of firmware leads to ${own.path}, which cannot be told here`;
  return [{ path: fallback.path, note }];
}

/** Entries of others that name what is not there: whoever made them has to know, and nothing of ours waits for it. */
function deadEntries(view: EspView): readonly Note[] {
  return menuOf(view, { booted: undefined, pinned: [] }).flatMap(({ path, damage, own }) =>
    damage === undefined || own
      ? []
      : [{ path, note: `not Espalier’s, and does not boot: ${damage}` }],
  );
}

const WORDS: Readonly<Record<Companion['kind'], string>> = {
  addon: 'an addon, whose command line and files are added to',
  credential: 'a credential, which is handed to',
  extension: 'an extension, which is laid over the initrd of',
};

function describe({ kind, image }: Companion, isOwn: boolean): string {
  return `${isOwn ? 'declared here' : 'not Espalier’s'}: ${WORDS[kind]} ${image ?? 'every image that boots from here'}`;
}

function enrolment({ loaderConf }: Inventory): readonly Note[] {
  const lines = parseLoaderConf(new TextDecoder().decode(loaderConf));
  if (lastValue(lines, 'secure-boot-enroll') !== 'force') return [];
  const note =
    'secure-boot-enroll force: in Setup Mode the loader enrols what is in loader/keys and asks nobody';
  return [{ path: LOADER_CONF, note }];
}
