/** Thin images on an ESP: ours are known by what they say of their signer, and checked against their names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base32, hash } from '../../src/digest.ts';
import type { EntryFile } from '../../src/esp/inventory.ts';
import { espPath } from '../../src/esp/layout.ts';
import { scanInventory } from '../../src/esp/scan-inventory.ts';
import { firmwarePath, thinId } from '../../src/esp/thin.ts';
import { IMAGE_KINDS } from '../../src/plan/images.ts';
import { type ASection, aCertificateEntry, aPe } from '../pe/a-pe.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const KERNEL = espPath('EFI', 'nixos', `kernel-6.12-${base32(hash('kernel'))}.efi`);
const INITRD = espPath('EFI', 'nixos', `initrd-6.12-${base32(hash('initrd'))}.efi`);

const section = (name: string, text: string): ASection => ({
  name,
  bytes: new TextEncoder().encode(text),
});

/** The sections of a thin image as its stub reads them. */
const SECTIONS = [
  section('.osrel', 'ID=nixos\nPRETTY_NAME="NixOS (Generation 1)"\n'),
  section('.cmdline', 'init=/nix/store/x/init quiet'),
  section('.initrd', firmwarePath(INITRD)),
  section('.linux', firmwarePath(KERNEL)),
  section('.initrdh', 'thirty-two bytes of the digest, 1'),
  section('.linuxh', 'thirty-two bytes of the digest, 2'),
];

const nameOf = (sections: readonly ASection[], signer: string) => {
  const digests = sections.map(({ name, bytes }) => ({ name, digest: hash(bytes) }));
  return `nixos-generation-1-${base32(thinId(digests, signer))}.efi`;
};

function scan(name: string, image: Uint8Array): EntryFile {
  const files = { [`/boot/EFI/Linux/${name}`]: image };
  const disk = new MemoryDisk({ capacity: 1 << 26, files });
  const [entry] = scanInventory(disk, '/boot', 'nixos', IMAGE_KINDS).entries;
  assert.ok(entry);
  return entry;
}

/** A thin image of ours: with a signature if it has a signer, unless that is lost. */
function anImage(signer: string, { sections = SECTIONS, signed = signer !== 'unsigned' } = {}) {
  return aPe({
    sections: [...sections, section('.signer', signer)],
    ...(signed && { certificateTable: aCertificateEntry(new Uint8Array(64)) }),
  });
}

describe('a thin image of ours', () => {
  for (const signer of ['unsigned', hash('a certificate')]) {
    test(`is whole when its name fits, with the files it names: ${signer}`, () => {
      const entry = scan(nameOf(SECTIONS, signer), anImage(signer));
      assert.equal(entry.damage, undefined);
      assert.equal(entry.name?.generation, 1);
      assert.equal(entry.title, 'NixOS (Generation 1)');
      assert.equal(entry.cmdline, 'init=/nix/store/x/init quiet');
      assert.deepEqual([...entry.references].sort(), [INITRD, KERNEL].sort());
    });
  }

  test('is damaged when any section that the stub reads is not what the name says', () => {
    for (const [index, { name, bytes }] of SECTIONS.entries()) {
      const sections = SECTIONS.with(index, { name, bytes: Uint8Array.of(...bytes.slice(1), 1) });
      const entry = scan(nameOf(SECTIONS, 'unsigned'), anImage('unsigned', { sections }));
      assert.match(entry.damage ?? '', /not what its name says/, name);
      assert.ok(entry.name, 'and still ours');
    }
  });

  test('is damaged when a section is gone, or another signer is told', () => {
    const sections = SECTIONS.filter(({ name }) => !name.endsWith('h'));
    const cut = scan(nameOf(SECTIONS, 'unsigned'), anImage('unsigned', { sections }));
    const other = scan(nameOf(SECTIONS, 'unsigned'), anImage(hash('another')));
    for (const { damage } of [cut, other]) assert.match(damage ?? '', /not what its name says/);
  });

  test('is damaged when its signature is gone', () => {
    const signer = hash('a certificate');
    const entry = scan(nameOf(SECTIONS, signer), anImage(signer, { signed: false }));
    assert.match(entry.damage ?? '', /signature is gone/);
  });

  test('is damaged, and costs little, when a section is larger than any that we make', () => {
    const sections = [section('.cmdline', 'x'.repeat(9_000_000)), ...SECTIONS];
    const entry = scan(nameOf(sections, 'unsigned'), anImage('unsigned', { sections }));
    assert.match(entry.damage ?? '', /section "\.cmdline": expected at most/);
    assert.ok(entry.name, 'and still ours');
  });

  test('under a name that is not of our shape is another’s', () => {
    const entry = scan('copy.efi', anImage('unsigned'));
    assert.deepEqual([entry.name, entry.damage], [undefined, undefined]);
  });
});

test('what comes behind the first section of a name changes nothing: the stub takes the first', () => {
  const digests = SECTIONS.map(({ name, bytes }) => ({ name, digest: hash(bytes) }));
  const more = [...digests, { name: '.linux', digest: hash('another') }];
  assert.equal(thinId(more, 'unsigned'), thinId(digests, 'unsigned'));
});

test('a path for firmware begins at the root and has backslashes', () => {
  assert.equal(firmwarePath(espPath('EFI', 'nixos', 'a.efi')), '\\EFI\\nixos\\a.efi');
});
