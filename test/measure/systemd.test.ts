/** What we predict against what systemd-pcrlock and systemd-measure do, on real stubs, loaders and a kernel. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { formatPcrlock, lockPe, lockUki } from '../../src/measure/pcrlock.ts';
import { appendSections } from '../../src/pe/append-sections.ts';
import { authenticodeDigestInput } from '../../src/pe/authenticode.ts';
import { signedLayout } from '../../src/pe/certificate-table.ts';
import { parsePe, readSection } from '../../src/pe/pe.ts';
import { signAuthenticode } from '../../src/signer/cms.ts';
import { BANKS } from '../../src/uki/pcr-bank.ts';
import { aMachine } from '../command/a-machine.ts';
import { hasMeasuring, measuring } from '../lab/measuring.ts';
import { findParts, type SystemdVersion } from '../lab/parts.ts';
import { countingBytes, layoutBytes } from '../pe/a-pe.ts';
import { certificateDer, privateKey } from '../signer/test-key.ts';
import { predictPcr11 } from './predict.ts';

const parts = findParts();
const skip =
  parts === undefined || !hasMeasuring() ? 'SKIPPED, needs node test/lab/fetch.ts' : false;
const folder = mkdtempSync(join(tmpdir(), 'espalier-measure-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const SECTIONS: Readonly<Record<string, Uint8Array>> = {
  '.osrel': Buffer.from('ID=x\n'),
  '.cmdline': Buffer.from('quiet'),
  '.linux': countingBytes(12_345),
  '.initrd': countingBytes(4096),
};

function image(stub: string): Uint8Array {
  const sections = Object.entries(SECTIONS).map(([name, bytes]) => ({
    name,
    content: { kind: 'bytes', bytes } as const,
  }));
  return layoutBytes(appendSections(readFileSync(stub), sections));
}

function signed(bytes: Uint8Array): Uint8Array {
  const source = bytesSource(bytes);
  const sha256 = createHash('sha256');
  for (const chunk of authenticodeDigestInput(source)) sha256.update(chunk);
  const signature = signAuthenticode(sha256.digest(), certificateDer, privateKey);
  return layoutBytes(signedLayout(source, 'f', signature), { f: bytes });
}

/** The sections that are given to systemd-measure; the stub brings an `.sbat` of its own. */
function measured(bytes: Uint8Array): (readonly [string, Uint8Array])[] {
  const source = bytesSource(bytes);
  const { sections } = parsePe(source);
  return [...Object.keys(SECTIONS), '.sbat'].flatMap((name) => {
    const found = sections.find((section) => section.name === name);
    return found ? [[name.slice(1), readSection(source, found, 1 << 20)] as const] : [];
  });
}

function theirs(verb: 'lock-pe' | 'lock-uki', bytes: Uint8Array): string {
  writeFileSync(file('image.efi'), bytes);
  measuring('systemd-pcrlock', [verb, file('image.efi'), `--pcrlock=${file('records')}`]);
  return readFileSync(file('records'), 'utf8');
}

for (const version of ['252', '257', '262'] as const satisfies readonly SystemdVersion[]) {
  test(`of an image with the stub of ${version}, signed or not, every byte of the records is that of systemd-pcrlock`, {
    skip,
  }, () => {
    assert.ok(parts);
    const plain = image(parts.stub[version]);
    for (const bytes of [plain, signed(plain)]) {
      const source = bytesSource(bytes);
      assert.equal(`${formatPcrlock(lockPe(source, createHash))}\n`, theirs('lock-pe', bytes));
      assert.equal(`${formatPcrlock(lockUki(source, createHash))}\n`, theirs('lock-uki', bytes));
    }
    assert.equal(theirs('lock-pe', plain), theirs('lock-pe', signed(plain)));
  });

  test(`the record of the loader of ${version} is that of systemd-pcrlock`, { skip }, () => {
    assert.ok(parts);
    const loader = new Uint8Array(readFileSync(parts.systemdBoot[version]));
    for (const bytes of [loader, signed(loader)]) {
      const text = formatPcrlock(lockPe(bytesSource(bytes), createHash));
      assert.equal(`${text}\n`, theirs('lock-pe', bytes));
    }
  });

  test(`PCR 11 of an image with the stub of ${version} is that of systemd-measure, phase by phase`, {
    skip,
  }, () => {
    assert.ok(parts);
    const bytes = image(parts.stub[version]);
    const options = measured(bytes).map(([name, content]) => {
      writeFileSync(file(name), content);
      return `--${name}=${file(name)}`;
    });
    for (const phases of [[], ['enter-initrd'], ['enter-initrd', 'leave-initrd', 'sysinit']]) {
      const said = measuring('systemd-measure', [
        'calculate',
        ...options,
        ...['--json=short', `--phase=${phases.join(':') || ':'}`],
      ]);
      const calculated: Record<string, { hash: string }[]> = JSON.parse(said);
      const value = predictPcr11(bytesSource(bytes), { phases });
      for (const bank of BANKS) assert.equal(value[bank], calculated[bank]?.[0]?.hash, bank);
    }
  });
}

test('the record of a signed kernel is that of systemd-pcrlock', { skip }, () => {
  assert.ok(parts);
  const kernel = readFileSync(parts.kernel);
  const text = formatPcrlock(lockPe(bytesSource(kernel), createHash));
  assert.equal(`${text}\n`, theirs('lock-pe', kernel));
});

test('systemd-pcrlock finds loader and entries among its components, under lanzaboote’s names', {
  skip,
}, async (t) => {
  const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
  const directory = join(machine.root, 'pcrlock.d');
  assert.equal((await machine.run('install', '--pcrlock-directory', directory)).status, 0);
  const said = measuring('systemd-pcrlock', [
    ...['list-components', `--components=${directory}`, '--json=short'],
  ]);
  const listed: { id: string; variants: string }[] = JSON.parse(said);
  assert.deepEqual(
    listed.map(({ id, variants }) => [id, variants.slice(directory.length + 1)]),
    [
      ['630-bootloader', '630-bootloader.pcrlock.d/current.pcrlock'],
      ['635-lanzaboote', '635-lanzaboote.pcrlock.d/1.pcrlock'],
      ['635-lanzaboote', '635-lanzaboote.pcrlock.d/2-gaming.pcrlock'],
      ['635-lanzaboote', '635-lanzaboote.pcrlock.d/2.pcrlock'],
    ],
  );
});
