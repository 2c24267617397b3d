import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { kernelTraits } from '../../src/uki/kernel.ts';
import { kernelRelease } from '../../src/uki/uname.ts';
import { findParts } from '../lab/parts.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';

const parts = findParts();

/** What every kernel for this processor tells when its header does not say otherwise. */
const X64 = { fault: undefined, machine: 0x8664, cmdlineLimit: 2047 };

/** The setup header of an x86 kernel whose version string lies at `0x200 + pointer`. */
function aSetup(version: string, pointer = 0x100): Uint8Array {
  const bytes = new Uint8Array(0x400);
  bytes.set(new TextEncoder().encode('HdrS'), 0x202);
  new DataView(bytes.buffer).setUint16(0x20e, pointer, true);
  bytes.set(new TextEncoder().encode(version), 0x200 + pointer);
  return bytes;
}

test('the release is the first word of the version', () => {
  const full = '6.12.3-hardened+1 (nixbld@localhost) #1-NixOS SMP Fri Nov 20';
  assert.equal(kernelRelease(bytesSource(aSetup(full))), '6.12.3-hardened+1');
});

test('a file that does not tell its release has none', () => {
  const header = aSetup('6.12.3 (a@b) #1');
  const files = [new Uint8Array(), header.subarray(0, 0x20f), header.subarray(0, 0x300), aPe()];
  const lies = [aSetup(''), aSetup('6.12.3'), aSetup('\u0007 (a@b) #1'), aSetup('6.1 (a@b)', 0)];
  for (const bytes of [...files, ...lies])
    assert.equal(kernelRelease(bytesSource(bytes)), undefined);
});

test('any setup header whatever is read within bounds', () => {
  fc.assert(
    fc.property(fc.nat({ max: 0xffff }), fc.uint8Array({ maxLength: 64 }), (pointer, tail) => {
      const bytes = aSetup('', 0x10);
      new DataView(bytes.buffer).setUint16(0x20e, pointer, true);
      bytes.set(tail, 0x210);
      const release = kernelRelease(bytesSource(bytes));
      assert.ok(release === undefined || release.length <= 128);
    }),
  );
});

test('a kernel tells NX_COMPAT and its SBAT', () => {
  const sections = [
    { name: '.text', bytes: countingBytes(10) },
    { name: '.sbat', bytes: countingBytes(20) },
  ];
  const plain = kernelTraits(bytesSource(aPe({ dllCharacteristics: 0 })));
  assert.deepEqual(plain, { ...X64, release: undefined, nxCompat: false, sbat: undefined });
  const full = kernelTraits(bytesSource(aPe({ sections, dllCharacteristics: 0x100 })));
  assert.deepEqual(full, { ...X64, release: undefined, nxCompat: true, sbat: countingBytes(20) });
});

test('a kernel that is no PE image is refused by name', () => {
  assert.throws(() => kernelTraits(bytesSource(countingBytes(5000)), '/nix/store/x/bzImage'), {
    code: 'PE_MALFORMED',
    message: /^\/nix\/store\/x\/bzImage: DOS header/,
  });
});

test("Debian's kernel tells its release", {
  skip: parts === undefined && 'needs the real parts',
}, () => {
  assert.ok(parts);
  const traits = kernelTraits(bytesSource(readFileSync(parts.kernel)));
  assert.deepEqual(traits, {
    ...X64,
    release: parts.kernelVersion,
    nxCompat: true,
    sbat: undefined,
  });
});
