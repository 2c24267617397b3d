import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { digestOf, hash } from '../../src/digest.ts';
import { findSection, NX_COMPAT, parsePe, readSection } from '../../src/pe/pe.ts';
import { inspectSections, ukiReport } from '../../src/uki/inspect.ts';
import { mergeSbat } from '../../src/uki/sbat.ts';
import { isSectionName } from '../../src/uki/section.ts';
import { type UkiSection, ukiId, ukiLayout } from '../../src/uki/uki.ts';
import { findParts } from '../lab/parts.ts';
import { aPe, countingBytes, layoutBytes } from '../pe/a-pe.ts';

const parts = findParts();
const sbat = mergeSbat([]);
const stub = aPe({
  sections: [
    { name: '.text', bytes: countingBytes(700) },
    { name: '.sbat', bytes: sbat },
    { name: '.reloc', bytes: countingBytes(12) },
  ],
});
const kernel = { nxCompat: true, sbat: undefined };

function section(name: string, content: Uint8Array | string = name): UkiSection {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { name, content: { kind: 'bytes', bytes } };
}

const base = [section('.linux'), section('.osrel', 'ID=x\n'), section('.cmdline', 'quiet')];

function hashChunks(chunks: Iterable<Uint8Array>) {
  const sha256 = createHash('sha256');
  for (const chunk of chunks) sha256.update(chunk);
  return digestOf(sha256.digest());
}

function build(sections: readonly UkiSection[], traits = kernel, of = stub) {
  const image = layoutBytes(ukiLayout(of, sections, traits));
  const pe = parsePe(bytesSource(image));
  return { image, pe, names: pe.sections.map(({ name }) => name) };
}

test('sections come in the order of ukify, whatever order they are given in', () => {
  const given = ['.pcrsig', '.initrd', '.ucode', '.uname', '.splash', '.pcrpkey', '.dtb', '.hwids'];
  const { names } = build([...given.map((name) => section(name)), ...base]);
  const order = '.osrel .cmdline .dtb .hwids .uname .splash .pcrpkey .linux .initrd .ucode .pcrsig';
  assert.deepEqual(names.slice(3), order.split(' '));
});

test('profiles stay where they are, each opened by its .profile', () => {
  const profiles = ['.profile', '.pcrsig', '.profile', '.cmdline', '.osrel'].map((name) =>
    section(name),
  );
  const { image, names } = build([...base, ...profiles]);
  assert.deepEqual(
    names.slice(3).join(' '),
    '.osrel .cmdline .linux .profile .pcrsig .profile .osrel .cmdline',
  );
  const report = ukiReport(inspectSections(bytesSource(image), hashChunks));
  assert.deepEqual(Object.keys(report), ['.sbat', '.osrel', '.cmdline', '.linux', '_profiles']);
  assert.deepEqual(
    report._profiles?.map((profile) => Object.keys(profile)),
    [
      ['.profile', '.pcrsig'],
      ['.profile', '.osrel', '.cmdline'],
    ],
  );
});

test('the .sbat of stub, kernel and user become one; the default speaks only for the silent', () => {
  const line = (name: string) => new TextEncoder().encode(`sbat,1,\n${name},1\n`);
  const read = (sections: readonly UkiSection[], kernelSbat?: Uint8Array) => {
    const { image, pe } = build(sections, { ...kernel, sbat: kernelSbat } as typeof kernel);
    const found = findSection(pe, '.sbat');
    assert.ok(found);
    const text = new TextDecoder().decode(readSection(bytesSource(image), found, 4096));
    return text
      .split('\n')
      .slice(1, -1)
      .map((row) => row.replace(/,.*/, ''));
  };
  assert.deepEqual(read(base), ['uki']);
  assert.deepEqual(read(base, line('linux')), ['linux', 'uki']);
  assert.deepEqual(read([...base, section('.sbat', line('mine'))], line('linux')), [
    'linux',
    'mine',
  ]);
});

test('a .sbat longer than the stub has room for moves, and only one section has its name', () => {
  const long = new TextEncoder().encode(`sbat,1,\n${'linux,1,'.padEnd(900, 'x')}\n`);
  const { names } = build(base, { nxCompat: true, sbat: long } as unknown as typeof kernel);
  assert.deepEqual(
    names.filter((name) => name === '.sbat' || name === '.retired'),
    ['.retired', '.sbat'],
  );
});

test('NX_COMPAT is claimed only with the kernel', () => {
  const nx = (nxCompat: boolean) =>
    build(base, { ...kernel, nxCompat }).pe.dllCharacteristics & NX_COMPAT;
  assert.deepEqual([nx(true), nx(false)], [NX_COMPAT, 0]);
});

test('unknown, doubled and missing sections are refused by name', () => {
  const refusals: readonly (readonly [readonly UkiSection[], RegExp])[] = [
    [[...base, section('.secret')], /section \.secret: systemd-stub knows none/],
    [
      [...base, section('.initrd'), section('.initrd')],
      /section \.initrd: expected one per profile/,
    ],
    [base.slice(1), /section \.linux: expected in every UKI/],
    [[section('.linux'), section('.osrel', '')], /section \.osrel: expected in every UKI/],
  ];
  for (const [sections, message] of refusals)
    assert.throws(() => ukiLayout(stub, sections, kernel), { code: 'CONFIG_INVALID', message });
  assert.doesNotThrow(() => build([...base, section('.dtbauto', 'a'), section('.dtbauto', 'b')]));
});

test('the identity depends on the payload and the signer, not on order, stub or .sbat', () => {
  const rows = ['.linux', '.osrel', '.initrd'].map((name) => ({ name, digest: hash(name) }));
  const id = ukiId(rows, 'unsigned');
  assert.equal(
    id,
    hash(
      `uki 1\n.linux ${hash('.linux')}\n.osrel ${hash('.osrel')}\n.initrd ${hash('.initrd')}\nsigner unsigned\n`,
    ),
  );
  const same = [
    rows.toReversed(),
    [...rows, { name: '.sbat', digest: hash('x') }, { name: '.text', digest: hash('y') }],
    [...rows, { name: '.cmdline', digest: hash('') }],
  ];
  for (const sections of same) assert.equal(ukiId(sections, 'unsigned'), id);
  assert.notEqual(ukiId(rows, 'ab'), id);
  assert.notEqual(ukiId(rows.slice(1), 'unsigned'), id);
});

test('the identity of what was planned is that of the image that was built', () => {
  const names = fc.subarray(['.initrd', '.uname', '.splash', '.dtb', '.pcrpkey', '.ucode']);
  fc.assert(
    fc.property(names, fc.uint8Array({ maxLength: 700 }), (extra, bytes) => {
      const sections = [...base, ...extra.map((name) => section(name, bytes))];
      const planned = sections.map(({ name, content }) => ({
        name,
        digest: hash(content.kind === 'bytes' ? content.bytes : ''),
      }));
      const report = ukiReport(inspectSections(bytesSource(build(sections).image), hashChunks));
      const found = Object.entries(report)
        .filter(([name]) => isSectionName(name))
        .map(([name, { sha256 }]) => ({ name, digest: sha256 }));
      assert.equal(ukiId(found, 'unsigned'), ukiId(planned, 'unsigned'));
    }),
    { numRuns: 50 },
  );
});

test('the stubs of systemd 252, 257 and 262 take a UKI, and .sbat keeps its name and place to grow', {
  skip: parts === undefined && 'needs the real parts',
}, () => {
  assert.ok(parts);
  for (const [version, path] of Object.entries(parts.stub)) {
    const { image, pe } = build(
      [...base, section('.initrd'), section('.uname')],
      kernel,
      readFileSync(path),
    );
    const ends = pe.sections.map(({ virtualAddress, virtualSize }) => virtualAddress + virtualSize);
    pe.sections.slice(1).forEach(({ virtualAddress, name }, index) => {
      assert.ok(virtualAddress >= (ends[index] ?? 0), `${version}: ${name} overlaps in memory`);
    });
    const report = ukiReport(inspectSections(bytesSource(image), hashChunks));
    assert.match(JSON.stringify(report['.sbat']), /systemd.*uki,1,UKI/);
  }
});
