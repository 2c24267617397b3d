/**
 * `keys status`: shows which keys firmware, key directory and ESPs hold, and whether they agree.
 */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { enrolmentNames } from '../enrolment/enrolment-files.ts';
import {
  type KeyPlace,
  type KnownCertificate,
  keysIn,
  keysInFirmware,
  keysOnEsp,
  knownCertificates,
  nextKeyIn,
} from '../enrolment/places.ts';
import { type Rotation, rotationOf } from '../enrolment/rotation.ts';
import { EXIT_WARNINGS } from '../error.ts';
import { firmwareKeys } from '../inspection/firmware-trust.ts';
import { EFI_VARIABLES, secureBoot, setupMode } from '../loader/efi-variables.ts';
import type { Meaning, Part, Text } from '../process/styled-text.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { KEY_DIRECTORY } from '../signer/key-directory.ts';
import { joined } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import { formatTable } from '../terminal/table.ts';
import { espRoots } from '../volumes/esp-roots.ts';

/** Shows every certificate and where it is. The exit status tells whether all is well. */
export async function keysStatus(
  { operands: [named], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const directory = resolve(named ?? KEY_DIRECTORY);
  const efivars = environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES;
  const keys = keysIn(directory, settings['allow-insecure-key'], context);
  const firmware = keysInFirmware(efivars, disk);
  const nextKey = nextKeyIn(directory, settings['allow-insecure-key'], context);
  const roots = espRoots(settings, context, 'read');
  const sets = roots.flatMap((root) =>
    enrolmentNames(root, disk).map((name) => keysOnEsp(root, name, disk)),
  );
  const places = [keys, ...(nextKey ? [nextKey] : []), firmware, ...sets];
  const rotating = { directory, keys, nextKey, firmware, roots };
  const status = {
    secureBoot: secureBoot(disk, efivars) ?? null,
    setupMode: setupMode(disk, efivars) ?? null,
    dbx: firmware.holds.PK.length > 0 ? entriesOfDbx(efivars, context) : null,
    directory,
    certificates: knownCertificates(places),
    rotation: (await rotationOf(rotating, settings, context)) ?? null,
    problems: [
      ...places.flatMap(({ problems }) => problems),
      ...foreignPlaces(keys, firmware, sets),
    ],
  };
  if (json) print(JSON.stringify({ version: 1, verb: 'keys status', ...status }, undefined, 2));
  else print(renderKeys(status));
  return status.problems.length > 0 ? EXIT_WARNINGS : 0;
}

/** How many entries dbx has, or null when it cannot be read. */
function entriesOfDbx(efivars: string, { disk }: Context): number | null {
  const { forbidden } = firmwareKeys(efivars, disk);
  if (forbidden === undefined) return null;
  const { certificates, images, signedParts } = forbidden;
  return certificates.length + images.size + signedParts.size;
}

/** Firmware that knows other keys starts nothing that these sign; a set does that to it. */
function foreignPlaces(keys: KeyPlace, firmware: KeyPlace, sets: readonly KeyPlace[]): string[] {
  const [ours] = knownCertificates([keys]).filter(({ variable }) => variable === 'db');
  const isStranger = (place: KeyPlace) =>
    place.holds.PK.length > 0 &&
    !knownCertificates([place]).some(
      ({ variable, fingerprint }) => variable === 'db' && fingerprint === ours?.fingerprint,
    );
  if (ours === undefined) return [];
  return [
    ...[firmware].filter(isStranger).map(() => 'firmware: does not start what db signs'),
    ...sets
      .filter(isStranger)
      .map(({ name }) => `${name}: firmware with these keys would not start what db signs`),
  ];
}

interface Shown {
  readonly secureBoot: boolean | null;
  readonly setupMode: boolean | null;
  readonly dbx: number | null;
  readonly directory: string;
  readonly certificates: readonly KnownCertificate[];
  readonly rotation: Rotation | null;
  readonly problems: readonly string[];
}

const SHOWN_DIGITS = 16;

function renderKeys(shown: Shown): Text {
  const { secureBoot, setupMode, dbx, directory, certificates, rotation, problems } = shown;
  const rows = certificates.map((each) => [
    each.variable,
    printable(each.name),
    each.fingerprint.slice(0, SHOWN_DIGITS),
    each.validTo ?? '',
    each.in.join(', '),
  ]);
  const lines: readonly Text[] = [
    ['Secure Boot: ', switched(secureBoot, 'good', 'caution')],
    ['Setup Mode:  ', switched(setupMode, 'caution', undefined)],
    ...(dbx === 0
      ? [
          [
            'dbx:         ',
            { text: 'empty', meaning: 'caution' } as const,
            ': firmware starts loaders that are known to be unsafe; espalier keys enroll --dbx FILE',
          ],
        ]
      : []),
    `keys:        ${directory}`,
    ...(rows.length === 0
      ? []
      : [formatTable(['FOR', 'CERTIFICATE', 'SHA-256', 'VALID TO', 'IN'], rows)]),
    ...(rotation === null
      ? []
      : [
          [
            `rotation: ${rotation.stage}; next: `,
            { text: rotation.next, meaning: 'heading' },
          ] as const,
        ]),
    ...problems.map((problem) => [PROBLEM, `: ${printable(problem)}`]),
  ];
  return joined(lines, '\n');
}

const PROBLEM = { text: 'problem', meaning: 'bad' } as const;

/** Returns the word for something that firmware may have on or off, or say nothing about. */
function switched(value: boolean | null, on: Meaning, off: Meaning | undefined): Part {
  if (value === null) return 'unknown';
  if (value) return { text: 'on', meaning: on };
  return off === undefined ? 'off' : { text: 'off', meaning: off };
}
