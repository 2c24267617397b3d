/** What a generation should look like on an ESP: its names follow from its bytes, and from nothing else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { parseBlobName, parseEntryName } from '../../src/esp/layout.ts';
import { parseType1 } from '../../src/esp/type1.ts';
import { wantType1 } from '../../src/plan/format/type1.ts';
import { wantUki } from '../../src/plan/format/uki.ts';
import { textSection } from '../../src/plan/section.ts';
import {
  filesOf,
  generationName,
  type ImageSettings,
  type Payload,
  type Resolved,
} from '../../src/plan/wanted.ts';
import { aGeneration } from '../generation/a-generation.ts';

const payload = (name: string): Payload => ({
  path: `/nix/store/${name}`,
  size: 1000,
  digest: hash(name),
});

/** Returns a generation of which everything has been read. */
function aResolved(difference: Partial<Resolved> = {}): Resolved {
  const generation = difference.generation ?? aGeneration({ number: 5 });
  return {
    generation,
    bootspec: generation.bootspec,
    kernel: payload('kernel'),
    initrd: payload('initrd'),
    ...difference,
  };
}

const IMAGE: ImageSettings = {
  stub: '/nix/store/stub',
  stubSize: 100_000,
  fingerprint: 'unsigned',
  extra: [],
};

const fileName = (path: string) => path.split('/').at(-1) ?? '';

describe('a Type #1 entry', () => {
  test('names its kernel and initrd by their digests, and itself by that of its text', () => {
    const entry = wantType1('nixos', aResolved());
    const [kernel, initrd, file] = filesOf(entry);
    assert.equal(parseBlobName(fileName(kernel?.path ?? ''))?.digest, hash('kernel'));
    assert.equal(parseBlobName(fileName(initrd?.path ?? ''))?.digest, hash('initrd'));
    assert.ok(file?.content.kind === 'text');
    assert.equal(parseEntryName('nixos', fileName(file.path))?.digest, hash(file.content.text));
    assert.deepEqual(parseType1(file.content.text).files, [kernel?.path, initrd?.path]);
    assert.equal(file.size, new TextEncoder().encode(file.content.text).length);
  });

  test('has no initrd line without an initrd, and a devicetree where there is one', () => {
    const { initrd: _, ...bare } = aResolved();
    assert.equal(wantType1('nixos', bare).blobs.length, 1);
    const { blobs, file } = wantType1('nixos', aResolved({ devicetree: payload('board') }));
    assert.equal(blobs.length, 3);
    assert.ok(file.content.kind === 'text');
    assert.match(file.content.text, /^devicetree \/EFI\/nixos\/devicetree-/m);
  });

  test('of a signed kernel writes the signed one', () => {
    const kernel = { ...payload('kernel'), signed: true };
    const { blobs } = wantType1('nixos', aResolved({ kernel }));
    assert.deepEqual(blobs[0]?.content, { kind: 'signed', path: kernel.path });
  });
});

describe('an image', () => {
  const idOf = (resolved: Resolved, image = IMAGE) => wantUki('nixos', resolved, image).id;
  const base = idOf(aResolved());

  test('gets another name when anything that is signed with it changes', () => {
    const generation = aGeneration({ number: 5, bootspec: { kernelParams: ['quiet'] } });
    const changes: readonly string[] = [
      idOf(aResolved({ kernel: payload('another') })),
      idOf(aResolved({ initrd: payload('rotated secrets') })),
      idOf(aResolved({ generation })),
      idOf(aResolved({ uname: '6.12.58' })),
      idOf(aResolved(), { ...IMAGE, fingerprint: hash('rotated key') }),
      idOf(aResolved(), { ...IMAGE, extra: [textSection('.profile', 'ID=main\n')] }),
    ];
    assert.equal(new Set([base, ...changes]).size, changes.length + 1);
  });

  test('keeps its name when only the stub changes', () => {
    const image = { ...IMAGE, stub: '/nix/store/newer', stubSize: 120_000 };
    assert.equal(idOf(aResolved(), image), base);
    assert.equal(idOf(aResolved(), { ...IMAGE, extra: [textSection('.sbat', 'sbat,1\n')] }), base);
  });

  test('is planned with room for what it grows by', () => {
    const { file } = wantUki('nixos', aResolved(), IMAGE);
    assert.ok(file.size > IMAGE.stubSize + 2000);
  });
});

describe('names', () => {
  const bootspec = aResolved().bootspec;

  test('a specialisation is a slug in the file name, and itself in the menu', () => {
    const specialised = aResolved({ specialisation: 'Ünsafe / name', bootspec });
    for (const entry of [wantType1('nixos', specialised), wantUki('nixos', specialised, IMAGE)]) {
      assert.equal(parseEntryName('nixos', entry.id)?.slug, '_nsafe___name');
      assert.match(entry.title, /\(Generation 5-Ünsafe \/ name, /);
    }
  });

  test('two specialisations whose slugs are the same are two entries', () => {
    const ids = ['a b', 'a_b'].map(
      (specialisation) => wantUki('nixos', aResolved({ specialisation, bootspec }), IMAGE).id,
    );
    assert.notEqual(ids[0], ids[1]);
  });

  test('a named profile is told in the menu and in messages', () => {
    const generation = aGeneration({ number: 5, profile: 'work' });
    const { title, id } = wantType1('nixos', aResolved({ generation }));
    assert.match(title, /\[work\] \(Generation 5, /);
    assert.match(id, /^nixos-generation-5-[a-z2-7]{52}\.conf$/);
    assert.equal(generationName(generation), 'work-5');
    assert.equal(generationName(aGeneration({ number: 5 })), '5');
  });

  test('the same number in two profiles gives two entries', () => {
    const [a, b] = [aGeneration({ number: 5 }), aGeneration({ number: 5, profile: 'work' })].map(
      (generation) => wantType1('nixos', aResolved({ generation })).id,
    );
    assert.notEqual(a, b);
  });

  test('a command line that readers would split is refused', () => {
    const generation = aGeneration({ number: 5, bootspec: { kernelParams: ['a\noptions b'] } });
    const resolved = aResolved({ generation });
    assert.throws(() => wantType1('nixos', resolved), { code: 'BOOTSPEC_MALFORMED' });
    assert.throws(() => wantUki('nixos', resolved, IMAGE), { code: 'BOOTSPEC_MALFORMED' });
  });
});
