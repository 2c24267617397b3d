/** What becomes of extra files: each path is decided by what is wanted, what we wrote, and what is there. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import {
  type ExtraManifest,
  type ExtraRecord,
  formatManifest,
  manifestPath,
} from '../../src/esp/extra-manifest.ts';
import { type EspPath, espPath } from '../../src/esp/layout.ts';
import {
  type DeclaredExtra,
  decideExtras,
  type ExtraCase,
  extraCases,
  type FoundExtra,
  listsToKeep,
  wantsDigest,
} from '../../src/plan/extras.ts';
import { keyOf, ownFiles } from '../../src/plan/present.ts';
import { anInventory } from './a-plan.ts';

const PATH = espPath('firmware', 'tool.bin');
const ENTRY = espPath('loader', 'entries', 'tool.conf');

/** A file of this text that somebody wants at a path. */
function declare(
  path: EspPath,
  text: string,
  size = text.length,
  others: readonly EspPath[] = [],
): DeclaredExtra {
  return { path, size, digest: hash(text), content: { kind: 'text', text }, others };
}

const record = (text: string, size = text.length, path = PATH): ExtraRecord => ({
  path,
  size,
  digest: hash(text),
});

function aList(...records: readonly ExtraRecord[]): ExtraManifest {
  const text = formatManifest(records);
  return { path: manifestPath(text, 'nixos'), size: text.length, records };
}

const ABSENT: FoundExtra = { kind: 'absent', size: 0 };
const BLOCKED: FoundExtra = { kind: 'blocked', size: 0 };
const found = (text: string, size = text.length): FoundExtra => ({
  kind: 'file',
  size,
  digest: hash(text),
});

/** What is known of {@link PATH}; whatever is not told is not so. */
const aCase = (difference: Partial<ExtraCase> = {}): ExtraCase => ({
  path: PATH,
  records: [],
  isTakenOver: false,
  ...difference,
});

/** Says in one word what becomes of the file at {@link PATH}, with what is told to a person. */
function fate(difference: Partial<ExtraCase>, there: FoundExtra): string {
  const { own, wanted, warnings } = decideExtras([{ ...aCase(difference), found: there }], 'nixos');
  const [file] = own;
  const isWanted = wanted.some(({ path }) => path === PATH);
  const state = file === undefined ? 'not ours' : 'ours';
  const more = file?.isOutdated ? ', outdated' : file?.damage ? `, damaged: ${file.damage}` : '';
  const told = warnings.map((warning) => `; ${warning}`).join('');
  return `${state}${more}${isWanted ? ', wanted' : ''}${told}`;
}

const wanted = declare(PATH, 'new');
const OURS = record('new');
const OLD = record('old!');

describe('a file that is declared', () => {
  const cases: readonly (readonly [
    what: string,
    given: Partial<ExtraCase>,
    there: FoundExtra,
    fate: string,
  ])[] = [
    ['is written where nothing is', {}, ABSENT, 'not ours, wanted'],
    ['is ours as we wrote it', { records: [OURS] }, found('new'), 'ours, wanted'],
    ['is ours after another tool wrote it', { isTakenOver: true }, found('new'), 'ours, wanted'],
    ['is somebody else’s when it was there before us', {}, found('new'), 'not ours'],
    ['replaces what we wrote before', { records: [OLD] }, found('old!'), 'ours, outdated, wanted'],
    [
      'replaces what another tool wrote, whatever it is',
      { isTakenOver: true },
      found('something'),
      'ours, outdated, wanted',
    ],
    [
      'is not written over a stranger’s file',
      {},
      found('theirs'),
      `not ours; ${PATH} is left alone: it is there and is not ours`,
    ],
    [
      'is not written over a directory',
      { records: [OURS] },
      BLOCKED,
      `not ours; ${PATH} cannot be written: something else is there`,
    ],
    [
      'is ours without a look inside when all that we ever wrote is wanted',
      { records: [OURS] },
      { kind: 'file', size: OURS.size },
      'ours, wanted',
    ],
    [
      'is written anew when its predecessor is damaged',
      { records: [OLD] },
      found('o?d!'),
      'ours, outdated, wanted',
    ],
  ];
  for (const [what, given, there, expected] of cases) {
    test(what, () => {
      assert.equal(fate({ declared: wanted, ...given }, there), expected);
    });
  }
});

describe('a file of ours that is not as we wrote it', () => {
  const WHOLE = 1536;
  const OTHER_SIZE = [1, WHOLE - 1, WHOLE - 511, 513, WHOLE + 1, 2 * WHOLE];
  const declared = declare(PATH, 'new', WHOLE);
  const records = [record('new', WHOLE)];
  const fateOfSize = (size: number) => fate({ declared, records }, found('changed', size));

  test('is damaged when its size is the same', () => {
    assert.equal(fateOfSize(WHOLE), 'ours, damaged: its content is not what we wrote, wanted');
  });

  test('is damaged when whole sectors are missing', () => {
    for (const size of [0, 512, 1024]) assert.match(fateOfSize(size), /^ours, damaged/, `${size}`);
  });

  test('is a person’s own edit at every other size, shorter or longer, and is left alone', () => {
    for (const size of OTHER_SIZE) {
      assert.equal(
        fateOfSize(size),
        `not ours; ${PATH} is left alone: somebody else has changed it since we wrote it`,
        `${size} bytes`,
      );
    }
  });

  test('is a person’s own edit when it only grew by whole sectors', () => {
    assert.match(fateOfSize(WHOLE + 512), /^not ours; /);
  });
});

describe('a file that is declared no longer', () => {
  test('is ours to remove as we wrote it', () => {
    assert.equal(fate({ records: [OLD] }, found('old!')), 'ours');
  });

  test('is ours to remove as another tool left it', () => {
    assert.equal(fate({ isTakenOver: true }, found('anything')), 'ours');
  });

  test('stays when somebody changed it', () => {
    const left = `not ours; ${PATH} is left there: it is not as we wrote it any more`;
    assert.equal(fate({ records: [OLD] }, found('edit')), left);
    assert.equal(fate({ records: [OLD] }, { kind: 'file', size: 9 }), left);
  });

  test('is nothing to tell of when it is gone, or something else is there', () => {
    assert.equal(fate({ records: [OLD] }, ABSENT), 'not ours');
    assert.equal(fate({ records: [OLD] }, BLOCKED), 'not ours');
  });
});

describe('the list of extra files', () => {
  test('comes before the files, and has each that we may write', () => {
    const foreign = declare(espPath('firmware', 'theirs'), 'mine');
    const entry = declare(ENTRY, 'title tool\n', 11, [PATH]);
    const given = [wanted, entry, foreign].map((declared) => ({
      ...aCase({ path: declared.path, declared }),
      found: declared === foreign ? found('theirs') : ABSENT,
    }));
    const extras = decideExtras(given, 'nixos');
    const text = formatManifest([wanted, entry]);
    assert.deepEqual(
      extras.wanted.map(({ role, path, size }) => [role, path, size]),
      [
        ['manifest', manifestPath(text, 'nixos'), text.length],
        ['extra-file', PATH, 3],
        ['extra-entry', ENTRY, 11],
      ],
    );
    assert.deepEqual(extras.named, [PATH]);
  });

  test('is not written when there is nothing to list', () => {
    assert.deepEqual(decideExtras([], 'nixos').wanted, []);
  });

  test('counts its size in bytes of UTF-8', () => {
    const path = espPath('firmware', 'größe');
    const given = { ...aCase({ path, declared: declare(path, 'x') }), found: ABSENT };
    const [list] = decideExtras([given], 'nixos').wanted;
    const text = formatManifest([declare(path, 'x')]);
    assert.equal(list?.size, text.length + 2);
  });
});

describe('what is to be known of a path', () => {
  test('comes together from all that tell of it, in any case of letters', () => {
    const upper = espPath('FIRMWARE', 'TOOL.BIN');
    const lists = [aList(OLD), aList(record('older', 5, upper))];
    const [only, ...rest] = extraCases([wanted], lists, [upper], 'nixos');
    assert.deepEqual(rest, []);
    assert.equal(only && keyOf(only.path), keyOf(PATH));
    assert.equal(only?.declared, wanted);
    assert.deepEqual(
      only?.records.map(({ size }) => size),
      [4, 5],
    );
    assert.equal(only?.isTakenOver, true);
  });

  test('is there for what is only declared, only listed or only taken over', () => {
    const [listed, taken] = [espPath('a'), espPath('b')];
    const list = aList(record('x', 1, listed));
    const cases = extraCases([wanted], [list], [taken], 'nixos');
    assert.deepEqual(
      new Map(cases.map((each) => [each.path, [each.records.length, each.isTakenOver]])),
      new Map([
        [taken, [0, true]],
        [PATH, [0, false]],
        [listed, [1, false]],
      ]),
    );
  });

  test('is told by the name of a damaged list when it is the one that we would write', () => {
    const { records: _lost, ...damaged } = aList(wanted);
    const broken = { ...damaged, records: undefined };
    assert.deepEqual(extraCases([wanted], [broken], [], 'nixos')[0]?.records, [wanted]);
    const other = { ...aList(OLD), records: undefined };
    assert.deepEqual(extraCases([wanted], [other], [], 'nixos')[0]?.records, []);
  });
});

describe('the digest of a file that is there', () => {
  const asked = (given: Partial<ExtraCase>, size: number, deep = false) =>
    wantsDigest(aCase({ declared: wanted, ...given }), size, deep);

  test('is asked for when its size is one that we know', () => {
    assert.equal(asked({ records: [OLD] }, OLD.size), true);
    assert.equal(asked({ records: [] }, wanted.size), true);
    assert.equal(asked({ declared: undefined, records: [OLD] }, OLD.size), true);
  });

  test('is not asked for when its size says enough', () => {
    assert.equal(asked({ records: [OLD] }, 99), false);
  });

  test('is asked for of what is settled only by a deep look', () => {
    assert.equal(asked({ records: [OURS] }, OURS.size), false);
    assert.equal(asked({ records: [OURS] }, OURS.size, true), true);
    assert.equal(asked({ records: [OURS] }, 99, true), false);
  });
});

describe('a list that nothing wants any more', () => {
  const old = aList(OLD);
  const next = aList(wanted);
  const extras = [{ role: 'extra-file', path: PATH, size: OLD.size }] as const;
  const inventory = anInventory({ manifests: [old], extras });
  const own = ownFiles(inventory);
  const content = { kind: 'text', text: '' } as const;
  const list = { role: 'manifest', path: next.path, size: next.size, content } as const;
  const file = { role: 'extra-file', path: PATH, size: wanted.size, content } as const;
  const keeps = (
    files: readonly (typeof list | typeof file)[],
    kept: readonly EspPath[],
    scope: 'all' | 'gc',
    at = inventory,
  ) =>
    listsToKeep(new Set(kept.map(keyOf)), at, { extras: { wanted: files }, scope }, ownFiles(at));

  test('stays as long as a file stays that only it says is ours', () => {
    assert.deepEqual(keeps([], [PATH], 'all'), [keyOf(old.path)]);
  });

  test('goes when its file goes, or is written anew', () => {
    assert.deepEqual(keeps([], [], 'all'), []);
    assert.deepEqual(keeps([list, file], [PATH], 'all'), []);
  });

  test('stays when its file is wanted and shares its clusters with a temporary one', () => {
    const temporary = { path: espPath('firmware', '.espalier-1-1.tmp'), size: 4, twin: PATH };
    const shared = anInventory({ manifests: [old], extras, temporaries: [temporary] });
    assert.deepEqual(keeps([list, file], [PATH], 'all', shared), [keyOf(old.path)]);
  });

  test('stays with every extra file while a collection leaves a new list to be written', () => {
    const held = keeps([list, file], [], 'gc');
    assert.deepEqual(new Set(held), new Set([keyOf(old.path), keyOf(PATH)]));
    assert.equal(own.size, 2);
  });

  test('of another tool’s marks stays with the file that it marks', () => {
    const mark = { path: espPath('EFI', 'nixos', '.extra-files', 'firmware', 'tool.bin'), size: 0 };
    const marked = anInventory({ extras, marks: [{ ...mark, of: PATH }] });
    assert.deepEqual(keeps([], [PATH], 'all', marked), [keyOf(mark.path)]);
    assert.deepEqual(keeps([], [], 'all', marked), []);
  });
});
