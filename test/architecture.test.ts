/** The law of the house: who may import whom, and what must stand above a change. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, test } from 'node:test';

/** A source file as text; `path` is relative to `src`. */
interface Source {
  readonly path: string;
  readonly text: string;
}

/** Rooms by floor, the lowest first. Rooms on one floor do not know each other, but for the ground floor. */
const FLOORS: readonly (readonly string[])[] = [
  [
    'error.ts',
    'io-error.ts',
    'digest.ts',
    'byte-source.ts',
    'guid.ts',
    'utf16.ts',
    'bls.ts',
    'version.ts',
    'quantity.ts',
    'schema-issue.ts',
  ],
  ['gpt', 'fat', 'process'],
  ['pe', 'verity', 'initrd', 'secureboot', 'disk', 'watch', 'diskformat'],
  ['generation', 'esp', 'uki', 'loader', 'signer', 'confine', 'tree'],
  ['plan', 'erofs'],
  ['measure', 'settings', 'context.ts'],
  ['recipe', 'terminal'],
  ['transaction', 'survey', 'ukify', 'filesystem', 'html'],
  ['volumes', 'inspection', 'signing'],
  ['pcrlock', 'enrolment', 'firmware', 'kernels', 'units'],
  ['pass'],
  ['service', 'image'],
  ['command'],
  ['main.ts', 'launch.ts'],
];

/** Rooms that see the Disk port as a type only. */
const TYPE_ONLY_FLOORS: readonly number[] = [3, 4, 5];

/** Rooms without a file system, a clock or chance: no module of Node's at all. */
const PURE = ['fat', 'plan', 'esp', 'pe', 'uki', 'loader', 'generation', 'secureboot', 'html'];

/** Which rooms may import a module of Node's; what is not listed, any impure room may. */
const NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  'node:fs': ['disk', 'process'],
  'node:fs/promises': ['disk'],
  'node:child_process': ['process'],
  'node:worker_threads': ['process'],
  'node:net': ['process'],
  'node:dgram': ['process'],
  'node:cluster': ['process'],
  'node:crypto': [
    ...['transaction', 'recipe', 'signer', 'command', 'disk', 'verity'],
    ...['inspection', 'enrolment', 'pcrlock', 'signing', 'image'],
  ],
};

/** The real disk and the real machine: everyone else is handed the ports. */
const ADAPTERS = [
  'disk/node-disk.ts',
  'process/node-machine.ts',
  'process/child-program.ts',
  'process/filter.ts',
  'process/raw-file.ts',
];
/** Where the ports are put together, and where a second thread begins. */
const EDGE = ['main.ts', 'command/process-context.ts'];

/** Names that say nothing about what lies behind them. */
const EMPTY_NOUNS = /(^|\/)(utils?|helpers?|common|types|managers?)(\/|\.ts$)/;

/** Files that load a module of Node's late, because most runs never need it. */
const DOORS = ['launch.ts', 'main.ts', 'disk/node-writing.ts', 'disk/sha256.ts'];

const MAX_LINES = 300;
/** No room holds more of the lines of `src` than this: a larger one hides rooms of its own. */
const MAX_SHARE = 0.15;

/** Where each dangerous call is made, and how far above it its reason may begin, in lines. */
const DANGEROUS = /\.(rename|remove|overwrite|syncDirectory)\(|\bfs\.(rename|fsync)Sync\(/;
const REASON_WITHIN = 8;
/** Nothing boots from a lock file or from the note beside it. */
const NO_ESP = ['transaction/lock.ts'];

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

/** Every module that a file imports, re-exports or loads later. */
function importsOf({ text }: Source): Import[] {
  const statements = /^(?:import|export)\s+(type\s)?[^;'"]*?['"]([^'"]+)['"]/gm;
  const loads = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [
    ...[...text.matchAll(statements)].map((match) => ({
      from: match[2] ?? '',
      typeOnly: match[1] !== undefined,
    })),
    ...[...text.matchAll(loads)].map((match) => ({ from: match[1] ?? '', typeOnly: false })),
  ];
}

const roomOf = (path: string): string => path.split('/')[0] ?? '';
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));

/** Says what is wrong with an import of another file of ours. */
function complain(source: Source, { from, typeOnly }: Import): string | undefined {
  const target = join(source.path, '..', from);
  const [here, there] = [roomOf(source.path), roomOf(target)];
  if (here === there) return undefined;
  const [low, high] = [floorOf(there), floorOf(here)];
  const line = `${source.path} imports ${target}`;
  if (low < 0) return `${line}, which is on no floor`;
  if (low > high) return `${line}, a floor above`;
  if (low === high && low > 0) return `${line}, another room on its floor`;
  const seesTypes = there === 'disk' && TYPE_ONLY_FLOORS.includes(high);
  if (seesTypes && target !== 'disk/disk.ts') return `${line}; of disk/ it may know the port alone`;
  if (seesTypes && !typeOnly) return `${line} as more than a type`;
  const isHanded = ADAPTERS.includes(target) && !EDGE.includes(source.path);
  return isHanded ? `${line}, and should be handed the port` : undefined;
}

function complainOfNode(source: Source, { from, typeOnly }: Import): string | undefined {
  const room = roomOf(source.path);
  if (PURE.includes(room) && !typeOnly) return `${source.path} imports ${from} and should be pure`;
  const allowed = NODE_MODULES[from];
  const free = typeOnly || allowed === undefined || allowed.includes(room);
  return free ? undefined : `${source.path} imports ${from}, which is for ${allowed.join(', ')}`;
}

/** Returns every breach of the law in a set of files. */
function breaches(sources: readonly Source[]): string[] {
  return sources
    .flatMap((source) => [
      ...importsOf(source).map((found) =>
        found.from.startsWith('.')
          ? complain(source, found)
          : found.from.startsWith('node:')
            ? complainOfNode(source, found)
            : undefined,
      ),
      floorOf(roomOf(source.path)) < 0 ? `${source.path} is on no floor` : undefined,
      source.path !== 'main.ts' && /\bprocess\.(exit\(|exitCode\s*=[^=])/.test(source.text)
        ? `${source.path} ends the process`
        : undefined,
      roomOf(source.path) !== 'process' &&
      !DOORS.includes(source.path) &&
      /\bgetBuiltinModule\(/.test(source.text)
        ? `${source.path} loads a module unseen`
        : undefined,
      EMPTY_NOUNS.test(source.path) ? `${source.path}: its name says nothing` : undefined,
      source.text.split('\n').length - 1 > MAX_LINES
        ? `${source.path} has more than ${MAX_LINES} lines`
        : undefined,
    ])
    .filter((breach) => breach !== undefined);
}

/** Returns each change to a file system that no `SAFETY:` comment above it accounts for. */
function unreasoned(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n');
    return lines.flatMap((line, index) => {
      if (!DANGEROUS.test(line)) return [];
      const above = lines.slice(Math.max(0, index - REASON_WITHIN), index);
      return above.some((other) => other.includes('// SAFETY:')) ? [] : [`${path}:${index + 1}`];
    });
  });
}

/** A format of entries, or a kind of image, called by its name. */
const FORMAT_NAME = /(['"`])(uki|type1|thin)\1/;
/** Who may: the formats themselves, their tables, and what only looks like them. */
const NAMES_FORMATS: readonly (readonly [path: RegExp, line: RegExp])[] = [
  [/^plan\/(formats\.ts|format\/)/, /./],
  // A key of the Boot Loader Specification, not a format.
  [/^esp\/type1\.ts$/, /FILE_KEYS/],
  // `entries.srel` calls a layout of the ESP so.
  [/./, /\blayout\b.*'type1'/],
  // What lanzaboote installs, told to `install` as a person would.
  [/^command\/lzbt\.ts$/, /\bformat: 'thin'/],
];

/** Returns each line that tests for a format, or names one, where only its record may say what is so. */
function namingFormats(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const isAllowed = NAMES_FORMATS.some(([in_, on]) => in_.test(path) && on.test(line));
      return FORMAT_NAME.test(line) && !isAllowed ? [`${path}:${index + 1}: ${line.trim()}`] : [];
    }),
  );
}

const SRC = resolve(import.meta.dirname, '../src');

function readSources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({
      path: relative(SRC, join(SRC, name)),
      text: readFileSync(join(SRC, name), 'utf8'),
    }));
}

describe('the house', () => {
  const sources = readSources();

  test('every file imports only from floors below or from its own room', () => {
    assert.ok(sources.length > 50, 'there are files to look at');
    assert.deepEqual(breaches(sources), []);
  });

  test('no room holds more than 15 % of all lines', () => {
    const lines = ({ text }: Source) => text.split('\n').length - 1;
    const sum = (some: readonly Source[]) => some.reduce((all, source) => all + lines(source), 0);
    const rooms = Map.groupBy(sources, ({ path }) => roomOf(path));
    const large = [...rooms].filter(([, files]) => sum(files) > MAX_SHARE * sum(sources));
    assert.deepEqual(
      large.map(([room]) => room),
      [],
    );
  });

  test('above every rename, removal, overwrite and barrier stands what boots if power fails there', () => {
    const writers = sources.filter(
      ({ path }) => ['transaction', 'disk'].includes(roomOf(path)) && !NO_ESP.includes(path),
    );
    assert.deepEqual(unreasoned(writers), []);
  });

  test('outside the formats no file names one: what is particular to it stands in its record', () => {
    assert.deepEqual(namingFormats(sources), []);
  });
});

describe('the law', () => {
  const broken: readonly (readonly [string, string, RegExp])[] = [
    ['plan/plan.ts', `import { apply } from '../transaction/apply.ts';`, /a floor above/],
    ['esp/space.ts', `import { ukiId } from '../uki/uki.ts';`, /another room on its floor/],
    ['esp/mount.ts', `import { type Disk } from '../disk/disk.ts';`, /more than a type/],
    ['plan/plan.ts', `import type { A } from '../disk/node-disk.ts';`, /the port alone/],
    ['pe/pe.ts', `import {\n  createHash,\n} from 'node:crypto';`, /should be pure/],
    ['signer/pem.ts', `import { readFileSync } from 'node:fs';`, /which is for disk, process/],
    ['watch/notify.ts', `import { spawn } from 'node:child_process';`, /which is for process/],
    ['units/a.ts', `import { nodeDisk } from '../disk/node-disk.ts';`, /handed the port/],
    ['ukify/a.ts', `const a = await import('../process/filter.ts');`, /handed the port/],
    ['command/a.ts', `process.getBuiltinModule('node:fs');`, /loads a module unseen/],
    ['measure/pcr.ts', `const { hash } = await import('node:crypto');`, /which is for transaction/],
    ['uki/uki.ts', `const pem = await import('../signer/pem.ts');`, /another room/],
    ['plan/step.ts', `export { apply } from '../transaction/apply.ts';`, /a floor above/],
    ['command/list.ts', 'process.exitCode = 1;', /ends the process/],
    ['command/list.ts', 'process.exit(1);', /ends the process/],
    ['attic/box.ts', '', /on no floor/],
    ['esp/utils.ts', '', /says nothing/],
    ['esp/helpers/names.ts', '', /says nothing/],
    ['esp/names.ts', '\n'.repeat(301), /more than 300 lines/],
  ];
  for (const [path, text, expected] of broken) {
    test(`refuses ${path} with ${expected.source}: ${text.trim().split('\n')[0]}`, () => {
      const found = breaches([{ path, text }]);
      assert.equal(found.length, 1, found.join('; '));
      assert.match(found[0] ?? '', expected);
    });
  }

  test('lets a file look down, into its own room, and at the port as a type', () => {
    const text = [
      `import { hash } from '../digest.ts';`,
      `import type { Disk } from '../disk/disk.ts';`,
      `import { parsePe } from '../pe/pe.ts';`,
      `import { espPath } from './layout.ts';`,
    ].join('\n');
    assert.deepEqual(breaches([{ path: 'esp/inventory.ts', text }]), []);
  });

  test('asks for a reason above each removal', () => {
    const remove = '    disk.remove(path);';
    const reasoned = { path: 'transaction/a.ts', text: `// SAFETY: nothing names it.\n${remove}` };
    assert.deepEqual(unreasoned([reasoned, { path: 'transaction/b.ts', text: remove }]), [
      'transaction/b.ts:1',
    ]);
  });

  test('knows a test for a format, and nothing else that is called so', () => {
    const found = namingFormats([
      { path: 'survey/a.ts', text: "if (settings.format === 'thin') {\n  case 'uki':" },
      { path: 'recipe/b.ts', text: "const KINDS = ['type1'];" },
      { path: 'plan/format/uki.ts', text: "kind: 'uki'" },
      { path: 'pass/view.ts', text: "if (inventory.layout !== 'type1') {" },
      { path: 'settings/c.ts', text: "hint: 'use --format type1'" },
    ]);
    assert.deepEqual(
      found.map((line) => line.split(': ')[0]),
      ['survey/a.ts:1', 'survey/a.ts:2', 'recipe/b.ts:1'],
    );
  });
});
