import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';
import { loaderIdentity } from '../../src/loader/systemd-boot.ts';
import { findParts } from '../lab/parts.ts';
import { aPe } from '../pe/a-pe.ts';

/** Returns what a PE image with these sections is taken for. */
function identityOf(sections: Readonly<Record<string, string>>) {
  const image = aPe({
    sections: Object.entries(sections).map(([name, text]) => ({
      name,
      bytes: new TextEncoder().encode(text),
    })),
  });
  return loaderIdentity(bytesSource(image));
}

const marker = (product: string) => `#### LoaderInfo: ${product} ####`;
const release = (id: string, version: string) =>
  `ID=${id}\nVERSION="${version}"\nNAME="${id} ${version}"\n`;
const found = (version: string) => ({ kind: 'systemd-boot', version, machine: 0x8664 });

test('the marker names the version', () => {
  assert.deepEqual(identityOf({ '.sdmagic': marker('systemd-boot 258.2') }), found('258.2'));
});

test('padding of NULs behind the marker is passed over', () => {
  const padded = `${marker('systemd-boot 257.13-1~deb13u1')}\0\0\0\0`;
  assert.deepEqual(identityOf({ '.sdmagic': padded }), found('257.13-1~deb13u1'));
});

test('without a marker its release information names the version', () => {
  assert.deepEqual(identityOf({ '.osrel': release('systemd-boot', '249.1') }), found('249.1'));
});

const foreign: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a stub': { '.sdmagic': marker('systemd-stub 258') },
  'a stub whose kernel calls itself systemd-boot': {
    '.sdmagic': marker('systemd-stub 258'),
    '.osrel': release('systemd-boot', '258'),
  },
  'a UKI': { '.osrel': release('nixos', '26.05') },
  'an image with the marker among its code': { '.text': marker('systemd-boot 258') },
  'a marker without a version': { '.sdmagic': marker('systemd-boot') },
  'a marker cut short': { '.sdmagic': '#### LoaderInfo: systemd-boot 258' },
  'a marker with text before it': { '.sdmagic': `x${marker('systemd-boot 258')}` },
  'a version that would garble a terminal': { '.sdmagic': marker('systemd-boot 1\u001b[2J') },
  'a version of two words': { '.sdmagic': marker('systemd-boot 258 beta') },
  'a version of a thousand digits': { '.sdmagic': marker(`systemd-boot ${'1'.repeat(1000)}`) },
  'a section too large for a marker': {
    '.sdmagic': marker('systemd-boot 258') + '\0'.repeat(4096),
  },
  'release information without a version': { '.osrel': 'ID=systemd-boot\n' },
};

for (const [what, sections] of Object.entries(foreign)) {
  test(`${what} is foreign`, () => {
    assert.deepEqual(identityOf(sections), { kind: 'foreign' });
  });
}

test('a loader cut short anywhere is malformed, and says where', () => {
  const image = aPe({
    sections: [
      { name: '.sdmagic', bytes: new TextEncoder().encode(marker('systemd-boot 258')) },
      { name: '.text', bytes: new Uint8Array(600) },
    ],
  });
  for (const length of [0, 1, 63, 64, 100, 0x200, 0x3ff, image.length - 1]) {
    const identity = loaderIdentity(bytesSource(image.subarray(0, length)));
    assert.equal(identity.kind, 'malformed');
    if (identity.kind === 'malformed') assert.match(identity.because, /boot loader: .+ at offset/);
  }
});

test('no damage to a loader does more than change what it is taken for', () => {
  const sections = [
    { name: '.sdmagic', bytes: new TextEncoder().encode(marker('systemd-boot 258')) },
  ];
  const image = aPe({ sections });
  fc.assert(
    fc.property(fc.nat(image.length - 1), fc.uint8Array({ maxLength: 8 }), (at, bytes) => {
      const damaged = image.slice();
      damaged.set(bytes.subarray(0, damaged.length - at), at);
      try {
        assert.ok(loaderIdentity(bytesSource(damaged)).kind.length > 0);
      } catch (error) {
        assert.ok(error instanceof EspError);
      }
    }),
    { numRuns: 1000 },
  );
});

const parts = findParts();

for (const version of ['252', '254', '257', '262'] as const) {
  test(`the real systemd-boot ${version} and its stub are told apart`, {
    skip: parts === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts',
  }, () => {
    assert.ok(parts);
    const identity = loaderIdentity(bytesSource(readFileSync(parts.systemdBoot[version])));
    assert.equal(identity.kind, 'systemd-boot');
    if (identity.kind === 'systemd-boot') assert.ok(identity.version.startsWith(version));
    const stub = loaderIdentity(bytesSource(readFileSync(parts.stub[version])));
    assert.deepEqual(stub, { kind: 'foreign' });
  });
}
