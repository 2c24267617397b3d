/** `uki build --dracut` with Debian's dracut and a real kernel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { findSection, parsePe, readSection } from '../../src/pe/pe.ts';
import { aWorkbench } from '../command/a-uki.ts';
import { makeDracut } from '../lab/dracut.ts';
import { findParts } from '../lab/parts.ts';
import { hasToolRoot } from '../lab/tool-root.ts';

const parts = findParts();
const skip = (parts === undefined || !hasToolRoot()) && 'needs the real parts';

test('dracut makes the initrd for the kernel of the image, with what it was asked for', {
  skip,
}, async (t) => {
  assert.ok(parts);
  const bench = aWorkbench(t);
  const bin = makeDracut(parts, bench.folder);
  bench.environment = { PATH: `${bin}:${process.env['PATH']}`, TMPDIR: bench.folder };
  const note = bench.put('note', 'hello');
  const { error } = await bench.try([
    ...['build', '--linux', parts.kernel, '--stub', parts.stub['262'], '--os-release', 'ID=x'],
    ...['--dracut', '--add-drivers', 'dm-verity', '--filesystems', 'erofs', '--install', note],
    ...['--output', bench.path('out.efi')],
  ]);
  assert.equal(error, undefined, error?.message);
  const source = bytesSource(bench.bytes('out.efi'));
  const section = findSection(parsePe(source), '.initrd');
  assert.ok(section);
  const archive = Buffer.from(readSection(source, section, 1 << 28)).toString('latin1');
  const kernel = `usr/lib/modules/${parts.kernelVersion}/kernel`;
  for (const name of ['drivers/md/dm-verity.ko', 'fs/erofs/erofs.ko'])
    assert.ok(archive.includes(`${kernel}/${name}\0`), name);
  assert.ok(archive.includes(`${note.slice(1)}\0`));
  assert.ok(!archive.includes(`${kernel}/fs/ext4/ext4.ko\0`), 'no other file system');
});
