/** PCR 11: which sections count, in which order, and what they make of the register. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { lockPe, lockUki } from '../../src/measure/pcrlock.ts';
import { mutated, rationed, tolerates } from '../hostile/mutation.ts';
import { type ASection, aPe } from '../pe/a-pe.ts';
import { bounds } from '../property/bounds.ts';
import { predictPcr11 } from './predict.ts';

const section = (name: string, text: string): ASection => ({ name, bytes: Buffer.from(text) });
const BASE = [
  section('.linux', 'KERNEL'),
  section('.osrel', 'ID=x\n'),
  section('.cmdline', 'quiet'),
  section('.initrd', 'INITRD'),
];

function pcr11(sections: readonly ASection[], boot = {}) {
  return predictPcr11(bytesSource(aPe({ sections })), boot);
}

/** Values that systemd-measure gives for these four sections. */
const KNOWN = [
  [[], '4f506f260a867fd99b58aa35999d1d7ef8dd3a380ce2a11b215fd9cee8b3e1e2'],
  [['enter-initrd'], 'e247290375718b8d303dac5db236a1507d393aa7758e9cd97d7591debc17d4a7'],
  [
    ['enter-initrd', 'leave-initrd', 'sysinit', 'ready'],
    '7d9f572346a3a189bb1bdd04afbdf4330c83c9cd4649b89ddf2275e6e1747812',
  ],
] as const;

for (const [phases, sha256] of KNOWN) {
  test(`PCR 11 after ${phases.join(':') || 'the stub'} is what systemd-measure says`, () => {
    assert.equal(pcr11(BASE, { phases }).sha256, sha256);
  });
}

test('the bank of SHA-1 is extended by digests of SHA-1', () => {
  assert.equal(pcr11(BASE).sha1, 'ece2c7bd85e963f046cc813ad5b929e63f341b31');
});

test('neither the order in the file, nor signatures of PCR values, nor unknown or empty sections count', () => {
  const more = [section('.pcrsig', '{}'), section('.sbom', 'x'), section('.dtb', '')];
  assert.deepEqual(pcr11([...more, ...BASE.toReversed()]), pcr11(BASE));
});

test('each profile has its own value: that of an image with its sections in place of the base’s', () => {
  const profile = (id: string) => section('.profile', `ID=${id}\n`);
  const debug = section('.cmdline', 'debug');
  const image = [...BASE, profile('main'), profile('debug'), debug];
  assert.deepEqual(pcr11(image), pcr11([...BASE, profile('main')]));
  const without = BASE.filter(({ name }) => name !== '.cmdline');
  assert.deepEqual(pcr11(image, { profile: 1 }), pcr11([...without, profile('debug'), debug]));
  assert.throws(() => pcr11(image, { profile: 2 }), { code: 'CONFIG_INVALID' });
  assert.throws(() => pcr11(BASE, { profile: 1 }), { code: 'CONFIG_INVALID' });
});

test('an empty section of a profile hides that of the base', () => {
  const profile = section('.profile', 'ID=a\n');
  const without = BASE.filter(({ name }) => name !== '.cmdline');
  const hiding = [...BASE, profile, section('.cmdline', '')];
  assert.deepEqual(pcr11(hiding), pcr11([...without, profile]));
});

test('memory behind the data of a section counts, as zeros', () => {
  const bytes = aPe({ sections: [section('.linux', 'KERNEL')] });
  const view = new DataView(bytes.buffer);
  const header = 0x40 + 24 + 112 + 128;
  view.setUint32(header + 8, 0x300, true);
  const padded = aPe({ sections: [{ name: '.linux', bytes: paddedTo(0x300, 'KERNEL') }] });
  assert.deepEqual(predictPcr11(bytesSource(bytes)), predictPcr11(bytesSource(padded)));
});

function paddedTo(size: number, text: string): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(Buffer.from(text));
  return bytes;
}

test('what the hardware decides is not predicted', () => {
  const image = [...BASE, section('.dtbauto', 'tree')];
  assert.throws(() => pcr11(image), { code: 'CONFIG_INVALID', message: /\.dtbauto/ });
});

test('the records of an image of several profiles are refused, with their number', () => {
  const sections = [...BASE, section('.profile', 'ID=a\n'), section('.profile', 'ID=b\n')];
  const source = bytesSource(aPe({ sections }));
  assert.throws(() => lockUki(source, createHash), {
    code: 'CONFIG_INVALID',
    message: /2 profiles/,
  });
  assert.equal(lockPe(source, createHash).length, 1);
});

test('of any image, records are made or refused, after bounded work', () => {
  fc.assert(
    fc.property(
      mutated(aPe({ sections: BASE }), aPe({ sections: BASE, kind: 'PE32' })),
      (bytes) => {
        tolerates(() => lockPe(rationed(bytes), createHash));
        tolerates(() => lockUki(rationed(bytes), createHash));
        tolerates(() => predictPcr11(rationed(bytes)));
      },
    ),
    bounds(300),
  );
});
