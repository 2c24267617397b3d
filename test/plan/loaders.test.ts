/** Three loaders: two copies, and the one before them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hash } from '../../src/digest.ts';
import { espPath, loaderPlaces } from '../../src/esp/layout.ts';
import { architecture } from '../../src/loader/architecture.ts';
import type { LoaderPlace } from '../../src/loader/upgrade.ts';
import { decideLoaders, withoutPrevious } from '../../src/plan/loaders.ts';
import { startedPrevious } from '../../src/plan/running-loader.ts';
import type { Scope } from '../../src/plan/scope.ts';
import type { EspView, FirmwareView, LoaderView } from '../../src/plan/view.ts';

const X64 = 0x8664;
const SIZE = 100_000;
const places = loaderPlaces(architecture('x86_64-linux'));
const PLACES = ['systemd', 'fallback', 'previous'] as const;

/** What lies in a loader's place: a version, or what is wrong there. */
type Content = `${number}` | 'absent' | 'cut' | 'foreign' | 'untrusted';

/** The loaders of an ESP, what runs, and what a run brings. */
interface Shape {
  readonly systemd?: Content;
  readonly fallback?: Content;
  readonly previous?: Content;
  /** The version that runs; absent when nobody tells. */
  readonly runs?: string | undefined;
  readonly from?: LoaderPlace;
  readonly brings?: string;
  readonly isKept?: boolean;
  readonly isSigned?: boolean;
  readonly scope?: Scope;
}

function viewOf(place: LoaderPlace, content: Content, digest?: string): LoaderView {
  const path = places[place];
  const found = { place, path, size: content === 'absent' ? 0 : SIZE } as const;
  const boot = { kind: 'systemd-boot', version: '257', machine: X64 } as const;
  switch (content) {
    case 'absent':
      return { ...found, installed: { kind: 'absent' }, signature: 'not-checked' };
    case 'cut':
      return {
        ...found,
        installed: { kind: 'malformed', because: 'it is cut short' },
        signature: 'not-checked',
      };
    case 'foreign':
      return { ...found, installed: { kind: 'foreign' }, signature: 'not-checked' };
    case 'untrusted':
      return { ...found, installed: boot, signature: 'invalid' };
    default:
      return {
        ...found,
        installed: { ...boot, version: content },
        signature: 'valid',
        ...(digest === undefined ? {} : { digest: hash(digest) }),
      };
  }
}

function firmwareOf({ runs, from = 'systemd' }: Shape): FirmwareView | undefined {
  if (runs === undefined) return undefined;
  return {
    secureBoot: undefined,
    trustsCertificate: undefined,
    forbids: undefined,
    bootOptions: undefined,
    variables: {
      LoaderInfo: `systemd-boot ${runs}`,
      LoaderImageIdentifier: `\\${places[from].replaceAll('/', '\\').toUpperCase()}`,
      LoaderDevicePartUUID: 'AA',
    },
  };
}

function espOf(shape: Shape): Pick<EspView, 'loaders' | 'firmware' | 'partitions'> {
  const { systemd = '257', fallback = systemd, previous = 'absent' } = shape;
  const loaders = [
    viewOf('systemd', systemd, systemd),
    viewOf('fallback', fallback),
    viewOf('previous', previous),
  ];
  return { loaders, firmware: firmwareOf(shape), partitions: ['aa'] };
}

function decided(shape: Shape) {
  const { brings = '258', isKept = true, isSigned = true, scope = 'all' } = shape;
  const settings = {
    'entry-token': 'nixos',
    'boot-counting': 0,
    reserve: 0,
    force: false,
    'require-verity': false,
    'keep-default': false,
    'loader-fallback': isKept,
    loader: {},
  };
  const loader = { path: '/usr/systemd-boot', version: brings, machine: X64, size: SIZE };
  const signer = { fingerprint: isSigned ? 'aa' : 'unsigned' };
  return decideLoaders({ loader, signer, settings }, espOf(shape), scope);
}

/** The steps as what happens to which loader, in their order. */
function outline(shape: Shape): string[] {
  const placeOf = (path: string) => PLACES.find((place) => places[place] === path) ?? path;
  const { copies, unused } = decided(shape);
  return [
    ...copies.map(({ path, content }) => `${placeOf(path)} := ${content.kind}`),
    ...unused.map(({ path }) => `${placeOf(path)} is removed`),
  ];
}

const BOTH = ['systemd := signed', 'fallback := signed'];

describe('the previous loader', () => {
  const rows: readonly (readonly [what: string, shape: Shape, steps: readonly string[]])[] = [
    [
      'is the one that ran, before it is replaced',
      { runs: '257' },
      ['previous := copied', ...BOTH],
    ],
    [
      'is the one that ran from EFI/BOOT, too',
      { runs: '257', from: 'fallback' },
      ['previous := copied', ...BOTH],
    ],
    [
      'is replaced by a later one that ran',
      { previous: '256', runs: '257' },
      ['previous := copied', ...BOTH],
    ],
    ['is written once', { previous: '257', runs: '257' }, BOTH],
    ['is none that never ran', { previous: '256', runs: '256' }, BOTH],
    ['is none of which nobody tells that it ran', {}, BOTH],
    ['stays where it is what runs', { previous: '257', runs: '257', from: 'previous' }, BOTH],
    ['is not made while nothing is replaced', { brings: '257', runs: '257' }, []],
    [
      'is not made of a loader that is cut short',
      { systemd: 'cut', fallback: '257', runs: '257' },
      BOTH,
    ],
    [
      'is not made of one that firmware may refuse',
      { systemd: 'untrusted', fallback: '257', runs: '257' },
      BOTH,
    ],
    [
      'is mended by the one that ran',
      { brings: '257', previous: 'cut', runs: '257' },
      ['previous := copied'],
    ],
    [
      'is removed where nothing mends it',
      { brings: '257', previous: 'untrusted' },
      ['previous is removed'],
    ],
    [
      'is removed when nobody wants it',
      { brings: '257', previous: '256', isKept: false },
      ['previous is removed'],
    ],
    [
      'stays where nobody wants it and it is what runs',
      { brings: '257', previous: '256', isKept: false, runs: '256', from: 'previous' },
      [],
    ],
    [
      'is removed where it ran, and is cut short by now',
      { brings: '257', previous: 'cut', runs: '256', from: 'previous' },
      ['previous is removed'],
    ],
    [
      'is removed by gc beside a loader that starts',
      { brings: '257', previous: 'foreign', scope: 'gc' },
      ['previous is removed'],
    ],
    [
      'is left by gc where nothing is better',
      { systemd: 'cut', fallback: 'cut', brings: '257', previous: 'untrusted', scope: 'gc' },
      BOTH,
    ],
    [
      'comes after a copy that would not start',
      { fallback: 'cut', previous: '256', runs: '257' },
      ['fallback := signed', 'previous := copied', 'systemd := signed'],
    ],
  ];
  for (const [what, shape, steps] of rows) {
    test(what, () => assert.deepEqual(outline(shape), steps));
  }

  test('it is told when it is given up, and nothing else is', () => {
    const given = decided({ runs: '257' });
    const less = withoutPrevious(given);
    assert.deepEqual(less.copies, given.copies.slice(1));
    assert.match(less.warnings.at(-1) ?? '', /fallbackx64\.efi is not written: .*no room/);
    assert.deepEqual(withoutPrevious(less), less);
  });

  test('a machine that came up on it is told so, and only that one', () => {
    const [told = ''] = startedPrevious(espOf({ previous: '256', runs: '256', from: 'previous' }));
    assert.match(told, /came up on its fallback, EFI\/systemd\/systemd-boot-fallbackx64\.efi/);
    assert.deepEqual(startedPrevious(espOf({ previous: '256', runs: '257' })), []);
    assert.deepEqual(startedPrevious(espOf({ previous: '256' })), []);
    const elsewhere = { ...espOf({ runs: '256', from: 'previous' }), partitions: ['bb'] };
    assert.deepEqual(startedPrevious(elsewhere), []);
  });
});

/** Whether firmware would start a loader that is whole, of ours or before it. */
const isGood = (content: Content) => /^\d+$/.test(content);

const anyContent = fc.constantFrom<Content>(
  ...(['255', '256', '257', '258', '259', 'absent', 'cut', 'foreign', 'untrusted'] as Content[]),
);
const anyVersion = fc.constantFrom('255', '256', '257', '258', '259');
const anyShape = fc.record({
  systemd: anyContent,
  fallback: anyContent,
  previous: anyContent,
  runs: fc.option(anyVersion, { nil: undefined }),
  from: fc.constantFrom(...PLACES),
  brings: anyVersion,
  isKept: fc.boolean(),
  isSigned: fc.boolean(),
  scope: fc.constantFrom<Scope>('all', 'repair'),
});

test('no two loaders are ever in doubt, and none that starts is lost', () => {
  fc.assert(
    fc.property(anyShape, (shape) => {
      const { systemd, fallback, previous, brings, isKept } = shape;
      const now = new Map<string, Content>([
        [places.systemd, systemd],
        [places.fallback, fallback],
        [places.previous, previous],
      ]);
      const good = () => [...now.values()].filter(isGood).length;
      const before = good();
      const { copies, unused } = decided(shape);
      for (const { path, content } of copies) {
        const next =
          content.kind === 'copied' ? (now.get(content.path) ?? 'absent') : (brings as Content);
        // What is copied is what was judged: nothing has replaced it meanwhile.
        if (content.kind === 'copied') {
          assert.equal(now.get(content.path), systemd);
          assert.equal(content.digest, hash(systemd));
        }
        now.set(path, 'cut');
        assert.ok(good() >= before - 1, `while ${path} is written`);
        now.set(path, next);
        assert.ok(good() >= before, `once ${path} is written`);
      }
      for (const { path } of unused) now.set(path, 'absent');
      if (isKept) assert.ok(good() >= before, 'in the end');
      assert.ok(isGood(now.get(places.systemd) ?? 'absent'), 'the first copy starts');
    }),
    { numRuns: 2000, seed: 20_261_130 },
  );
});

test('what becomes the previous loader is whole, and is what ran', () => {
  fc.assert(
    fc.property(anyShape, (shape) => {
      const { systemd, runs, from } = shape;
      const rotated = decided(shape).copies.find(({ content }) => content.kind === 'copied');
      if (rotated === undefined) return;
      assert.ok(isGood(systemd));
      assert.equal(runs, systemd);
      assert.notEqual(from, 'previous');
      assert.equal(rotated.path, espPath(places.previous));
    }),
    { numRuns: 2000, seed: 20_261_130 },
  );
});
