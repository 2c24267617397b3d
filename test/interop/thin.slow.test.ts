/** Our thin images as other tools see them: objcopy, which lanzaboote makes its own with, objdump, ukify and sbverify. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { findParts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { missingTools, systemPython } from '../lab/tools.ts';
import { anLzbtMachine } from '../lzbt/a-lzbt.ts';
import { sectionContents } from '../lzbt/image.ts';
import { certificatePath } from '../signer/test-key.ts';

const parts = findParts();
const missing = missingTools(['python3-pefile', 'binutils', 'sbsigntool']);
const skip =
  parts === undefined ? 'needs the real parts' : missing.length > 0 && `needs ${missing}`;

const folder = mkdtempSync(join(tmpdir(), 'espalier-thin-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** In the order in which lanzaboote's tool gives them to objcopy. */
const SECTIONS = ['.osrel', '.cmdline', '.initrd', '.linux', '.initrdh', '.linuxh'];

/** Adds sections to a stub as lanzaboote's tool does, one after the other without any alignment. */
function objcopied(stub: string, sections: ReadonlyMap<string, Buffer>): string {
  const output = join(folder, 'objcopied.efi');
  const header = run('objdump', ['-p', stub]);
  const base = Number.parseInt(/^ImageBase\s+([0-9a-f]+)/m.exec(header)?.[1] ?? '0', 16);
  const last = parsePe(bytesSource(readFileSync(stub))).sections.at(-1);
  let address = base + (last?.virtualAddress ?? 0) + (last?.virtualSize ?? 0);
  const args = SECTIONS.flatMap((name) => {
    const bytes = sections.get(name) ?? Buffer.of();
    const file = join(folder, name);
    writeFileSync(file, bytes);
    const at = `${name}=0x${address.toString(16)}`;
    address += bytes.length;
    return ['--add-section', `${name}=${file}`, '--change-section-vma', at];
  });
  run('objcopy', [...args, stub, output]);
  return output;
}

for (const version of ['252', '257', '262'] as const) {
  test(`on the stub of systemd ${version}, an image is what objcopy makes of it, and signed`, {
    skip,
  }, async (t) => {
    assert.ok(parts);
    const { machine, install } = anLzbtMachine(t);
    const stub = parts.stub[version];
    copyFileSync(stub, join(machine.root, 'stub.efi'));
    assert.equal((await install()).status, 0);
    const image = join(machine.esp, machine.paths(/^EFI\/Linux\//)[0] ?? '');

    const ours = sectionContents(image);
    const theirs = sectionContents(objcopied(stub, ours));
    for (const name of SECTIONS) assert.deepEqual(theirs.get(name), ours.get(name), name);

    const listed = [...run('objdump', ['-h', image]).matchAll(/^ +\d+ (\.\w+) /gm)];
    const names = listed.map(([, name]) => name);
    assert.deepEqual(names.slice(-7), [...SECTIONS, '.signer']);

    const args = [parts.ukify['257'], 'inspect', image, '--json=short'];
    const inspected = JSON.parse(run(systemPython, args));
    assert.equal(inspected['.cmdline'].text, ours.get('.cmdline')?.toString());
    assert.match(inspected['.osrel'].text, /^PRETTY_NAME=/m);

    const { status } = spawnSync('sbverify', ['--cert', certificatePath, image]);
    assert.equal(status, 0);
  });
}
