/** The thin image of a generation: what it names, and what gives it another name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { parseEntryName } from '../../src/esp/layout.ts';
import { wantThin } from '../../src/plan/format/thin.ts';
import { wantType1 } from '../../src/plan/format/type1.ts';
import { wantUki } from '../../src/plan/format/uki.ts';
import type { ImageSettings, Payload, Resolved } from '../../src/plan/wanted.ts';
import { aGeneration } from '../generation/a-generation.ts';

const payload = (name: string): Payload => ({
  path: `/nix/store/${name}`,
  size: 1000,
  digest: hash(name),
});

const GENERATION = aGeneration({ number: 5 });
const RESOLVED: Resolved = {
  generation: GENERATION,
  bootspec: GENERATION.bootspec,
  kernel: payload('kernel'),
  initrd: payload('initrd'),
};
const IMAGE: ImageSettings = {
  stub: '/nix/store/stub',
  stubSize: 100_000,
  fingerprint: 'unsigned',
  extra: [],
};

const want = (difference: Partial<Resolved> = {}, image: Partial<ImageSettings> = {}) =>
  wantThin('nixos', { ...RESOLVED, ...difference }, { ...IMAGE, ...image });

test('it shares kernel and initrd with a Type #1 entry that is not signed', () => {
  assert.deepEqual(want().blobs, wantType1('nixos', RESOLVED).blobs);
});

test('its sections are those of lanzaboote, in lanzaboote’s order, and one that names the signer', () => {
  const { content } = want().file;
  assert.ok(content.kind === 'thin');
  assert.deepEqual(
    content.sections.map(({ name }) => name),
    ['.osrel', '.cmdline', '.initrd', '.linux', '.initrdh', '.linuxh', '.signer'],
  );
  const linuxh = content.sections.find(({ name }) => name === '.linuxh');
  assert.deepEqual(linuxh?.content, { kind: 'digest', digest: hash('kernel') });
  assert.equal(linuxh?.size, 32);
});

test('it gets another name when anything that is signed with it changes', () => {
  const other = aGeneration({ number: 5, bootspec: { kernelParams: ['quiet'] } });
  const { initrd: _, ...bare } = RESOLVED;
  const ids = [
    want().id,
    want({ kernel: payload('another') }).id,
    want({ initrd: payload('rotated secrets') }).id,
    want({ generation: other, bootspec: other.bootspec }).id,
    want({}, { fingerprint: hash('rotated key') }).id,
    wantThin('nixos', bare, IMAGE).id,
    wantUki('nixos', RESOLVED, IMAGE).id,
  ];
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.equal(parseEntryName('nixos', id)?.generation, 5);
});

test('it keeps its name when only the stub changes', () => {
  assert.equal(want({}, { stub: '/nix/store/newer', stubSize: 1 }).id, want().id);
});
