/** Sections that lie over each other or outside of the image are told, wherever an image is looked at. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { sectionFindings } from '../../src/pe/section-findings.ts';
import { aWorkbench, STUB } from '../command/a-uki.ts';
import { mutated, rationed, tolerates } from '../hostile/mutation.ts';
import { findParts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { bounds } from '../property/bounds.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aPe, countingBytes } from './a-pe.ts';

const findings = (bytes: Uint8Array) => sectionFindings(parsePe(bytesSource(bytes)));
const text = { name: '.text', bytes: countingBytes(700), virtualAddress: 0x1000 };

/** An image whose `.initrd` begins inside of `.linux`. */
const OVERLAPPING = aPe({
  sections: [
    text,
    { name: '.linux', bytes: countingBytes(5000), virtualAddress: 0x2000 },
    { name: '.initrd', bytes: countingBytes(900), virtualAddress: 0x3000 },
  ],
});
/** What objcopy makes of an address that is below the base of the image. */
const BELOW = aPe({ sections: [{ ...text, virtualAddress: 0xb209_0000 }, text] });
const PARTS = findParts();

describe('findings in sections', () => {
  test('there are none in images as they should be', () => {
    assert.deepEqual(findings(aPe()), []);
    assert.deepEqual(findings(STUB), []);
  });

  test('there are none in real programs', { skip: PARTS === undefined && 'no parts' }, () => {
    const programs = [
      ...Object.values(PARTS?.stub ?? {}),
      ...Object.values(PARTS?.systemdBoot ?? {}),
      ...Object.values(PARTS?.addonStub ?? {}),
      PARTS?.kernel ?? '',
    ];
    for (const program of programs) {
      assert.deepEqual(sectionFindings(parsePe(nodeDisk().open(program), program)), [], program);
    }
  });

  test('one section inside of another is named with it', () => {
    assert.deepEqual(findings(OVERLAPPING), [
      'section ".initrd" at 0x3000 overlaps section ".linux" at 0x2000, of 5000 bytes',
    ]);
  });

  test('two sections at one address are named', () => {
    const twins = aPe({ sections: [text, { ...text, name: '.twin' }] });
    assert.deepEqual(findings(twins), [
      'section ".twin" at 0x1000 overlaps section ".text" at 0x1000, of 700 bytes',
    ]);
  });

  test('a section below the image base is told by how far', () => {
    assert.deepEqual(findings(BELOW), [
      'section ".text" lies 1308033024 bytes below the image base',
    ]);
  });

  test('a section in the headers, and one beyond the image, are told', () => {
    assert.match(
      findings(aPe({ sections: [{ ...text, virtualAddress: 0x10 }] })).join(),
      /headers/,
    );
    const short = aPe({ sections: [{ ...text, virtualAddress: 0x9000 }, text] });
    assert.match(findings(short).join(), /ends at 0x92bc, beyond the image, which ends at 0x2000/);
  });

  test('any image has them counted', () => {
    fc.assert(
      fc.property(mutated(OVERLAPPING, BELOW), (bytes) =>
        tolerates(() => assert.ok(sectionFindings(parsePe(rationed(bytes))).length <= 32)),
      ),
      bounds(2000),
    );
  });
});

for (const [what, image] of Object.entries({ overlap: OVERLAPPING, 'below the base': BELOW })) {
  test(`an image with sections that ${what}: inspect tells, sign and build refuse`, async (t) => {
    const bench = aWorkbench(t);
    const path = bench.put('image.efi', image);
    const shown = await bench.try(['inspect', path]);
    assert.equal(shown.status, 5);
    assert.match(shown.output, /^finding: section /m);
    const { output: json } = await bench.try(['inspect', '--json', path]);
    assert.equal(JSON.parse(json)._findings.length, 1);
    const key = ['--certificate', certificatePath, '--private-key', privateKeyPath];
    const signed = await bench.run(['sign', path, ...key, '--allow-insecure-key']);
    assert.equal(signed.error?.code, 'PE_MALFORMED');
    assert.match(signed.error?.message ?? '', /image\.efi: section /);
    assert.deepEqual(bench.bytes('image.efi'), image);
    for (const flag of ['--linux', '--stub']) {
      const built = await bench.try(['build', '--linux', bench.path('linux'), flag, path]);
      assert.equal(built.error?.code, 'PE_MALFORMED', flag);
      assert.match(built.error?.message ?? '', /image\.efi: section /);
    }
  });
}

test('what objcopy makes of a stub with addresses that are too near is told', {
  skip: PARTS === undefined && 'no parts',
}, async (t) => {
  const bench = aWorkbench(t);
  const add = (name: string, address: string) => [
    ...['--add-section', `.${name}=${bench.put(name, countingBytes(90_000))}`],
    ...['--change-section-vma', `.${name}=${address}`],
  ];
  const output = bench.path('objcopy.efi');
  const sections = [...add('linux', '0x2000000'), ...add('initrd', '0x2010000')];
  run('objcopy', [...sections, PARTS?.stub['252'] ?? '', output]);
  const { output: shown } = await bench.try(['inspect', output]);
  assert.match(shown, /finding: section "\.initrd" at 0x2010000 overlaps section "\.linux"/);
});
