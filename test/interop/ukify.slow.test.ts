/** Our images against those of ukify: the same sections from the same inputs, and each reads the other's. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { digestOf } from '../../src/digest.ts';
import { parsePe } from '../../src/pe/pe.ts';
import {
  inspectSections,
  type SectionReport,
  type UkiReport,
  ukiReport,
} from '../../src/uki/inspect.ts';
import { kernelTraits } from '../../src/uki/kernel.ts';
import { entryOsRelease } from '../../src/uki/os-release.ts';
import { type UkiSection, ukiLayout } from '../../src/uki/uki.ts';
import { findParts, type Parts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { missingTools, systemPython } from '../lab/tools.ts';
import { countingBytes, layoutBytes } from '../pe/a-pe.ts';

const parts = findParts();
const missing = missingTools(['python3-pefile', 'binutils']);
const skip =
  parts === undefined ? 'needs the real parts' : missing.length > 0 && `needs ${missing}`;

const folder = mkdtempSync(join(tmpdir(), 'espalier-ukify-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const cmdline = 'init=/nix/store/x/init console=ttyS0';
const osrel = entryOsRelease({
  sortKey: 'nixos',
  label: 'NixOS 26.11',
  versionTag: 'Generation 5',
});
const initrd = countingBytes(1_000_001);

function hashChunks(chunks: Iterable<Uint8Array>) {
  const sha256 = createHash('sha256');
  for (const chunk of chunks) sha256.update(chunk);
  return digestOf(sha256.digest());
}

function section(name: string, bytes: Uint8Array | string): UkiSection {
  const content = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  return { name, content: { kind: 'bytes', bytes: content } };
}

/** Builds with ours and with ukify; returns both files. */
function buildBoth({ kernel, ukify }: Parts, stub: string): { ours: string; theirs: string } {
  const [ours, theirs, ramdisk] = ['ours.efi', 'theirs.efi', 'initrd'].map((name) =>
    join(folder, name),
  );
  assert.ok(ours && theirs && ramdisk);
  const linux = readFileSync(kernel);
  const traits = kernelTraits(bytesSource(linux));
  assert.ok(traits.release);
  const sections = [
    section('.osrel', osrel),
    section('.cmdline', cmdline),
    section('.uname', traits.release),
    section('.initrd', initrd),
  ];
  const kernelFile: UkiSection = {
    name: '.linux',
    content: { kind: 'file', path: kernel, size: linux.length },
  };
  const layout = ukiLayout(readFileSync(stub), [...sections, kernelFile], traits);
  writeFileSync(ours, layoutBytes(layout, { [kernel]: linux }));

  writeFileSync(ramdisk, initrd);
  const flags = {
    stub,
    linux: kernel,
    initrd: ramdisk,
    cmdline,
    'os-release': osrel,
    output: theirs,
  };
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  run(systemPython, [ukify['257'], 'build', '--efi-arch=x64', ...args]);
  return { ours, theirs };
}

function ukifyInspect({ ukify }: Parts, path: string): UkiReport {
  return JSON.parse(run(systemPython, [ukify['257'], 'inspect', path, '--json=short']));
}

/** ukify 257 ends `.sbat` with a NUL, 262 does not any more: of that section, the text is compared. */
function comparable(report: UkiReport) {
  const { '.sbat': sbat, ...sections } = report;
  return { ...sections, '.sbat': (sbat as SectionReport).text };
}

for (const version of ['252', '257', '262'] as const) {
  test(`on the stub of systemd ${version}, ours and ukify's hold the same sections`, {
    skip,
  }, () => {
    assert.ok(parts);
    const { ours, theirs } = buildBoth(parts, parts.stub[version]);
    const inspected = (path: string) =>
      ukiReport(inspectSections(bytesSource(readFileSync(path)), hashChunks));
    assert.deepEqual(ukifyInspect(parts, ours), inspected(ours));
    assert.deepEqual(ukifyInspect(parts, theirs), inspected(theirs));
    assert.deepEqual(comparable(inspected(ours)), comparable(inspected(theirs)));

    const named = parsePe(bytesSource(readFileSync(ours))).sections.map(({ name }) => name);
    const listed = run('objdump', ['-h', ours]).matchAll(/^ +\d+ (\.\w+)/gm);
    assert.deepEqual(
      [...listed].map(([, name]) => name),
      named,
    );
  });
}

test("where .sbat fits, every byte of the image is ukify's but for that NUL", { skip }, () => {
  assert.ok(parts);
  for (const version of ['257', '262'] as const) {
    const { ours, theirs } = buildBoth(parts, parts.stub[version]);
    const [mine, its] = [readFileSync(ours), readFileSync(theirs)];
    assert.equal(mine.length, its.length);
    const index = parsePe(bytesSource(mine)).sections.findIndex(({ name }) => name === '.sbat');
    const virtualSize = parsePe(bytesSource(mine)).sectionTableOffset + 40 * index + 8;
    mine.writeUInt32LE(mine.readUInt32LE(virtualSize) + 1, virtualSize);
    assert.ok(mine.equals(its));
  }
});
