/** `uki build --verity` and an initrd that cannot open what it is to boot from. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { initrdOf, packers, VERITY_MODULE } from '../initrd/an-initrd.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { MAIN } from './a-machine.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const HASH = ['--verity', 'a1'.repeat(32), '--verity-of', 'root'];
/** Builds with what the process says on stderr. */
function spawned(bench: Workbench, ...more: readonly string[]) {
  const args = bench.arguments().filter((word) => word !== '--quiet');
  const options = { encoding: 'utf8', env: { PATH: process.env['PATH'] } } as const;
  const { status, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'uki', 'build', '--log-format', 'json', ...args, ...more],
    options,
  );
  const lines = stderr.split('\n').filter((line) => line !== '');
  return { status, said: lines.map((line) => JSON.parse(line).msg as string) };
}

test('an initrd that opens a verity device is no news', async (t) => {
  const bench = aWorkbench(t);
  bench.put('initrd', initrdOf('usr/sbin/veritysetup', VERITY_MODULE));
  assert.deepEqual(spawned(bench, ...HASH), { status: 0, said: [] });
});

test('one that does not is built, and what it lacks is told with status 5', async (t) => {
  const bench = aWorkbench(t);
  bench.put('initrd', initrdOf('init', VERITY_MODULE));
  assert.deepEqual(spawned(bench, ...HASH), {
    status: 5,
    said: [
      '.initrd: what sets up a verity device not found: looked for usr/lib/systemd/systemd-veritysetup and usr/sbin/veritysetup',
    ],
  });
  assert.ok(bench.names().includes('out.efi'));
});

test('without a root hash nobody looks', async (t) => {
  const bench = aWorkbench(t);
  assert.equal((await bench.build()).status, 0);
});

test('all initrds count as one, as they lie in the image', async (t) => {
  const bench = aWorkbench(t);
  bench.put('initrd', initrdOf('usr/sbin/veritysetup'));
  const more = bench.put('more', initrdOf(VERITY_MODULE));
  assert.equal((await bench.build(...HASH)).status, 5);
  assert.equal((await bench.build(...HASH, '--initrd', more)).status, 0);
  // Behind lz4 the kernel takes four zeros for the end, and the padding has three at most.
  bench.put('initrd', packers.lz4(formatCpio([memberOf('usr/sbin/veritysetup', 'x')])));
  const { said } = spawned(bench, ...HASH, '--initrd', more);
  assert.match(
    said.join('\n'),
    /^\.initrd: lz4 archive at byte 0, read up to .*: expected a block/,
  );
});

test('the initrd of every profile has to do', async (t) => {
  const bench = aWorkbench(t);
  bench.put('initrd', initrdOf('usr/sbin/veritysetup', VERITY_MODULE));
  const bare = bench.put('bare', initrdOf('init'));
  const profile = bench.path('profile.efi');
  const stub = ['--stub', bench.path('systemd/lib/systemd/boot/efi/linuxx64.efi.stub')];
  const own = ['--profile', 'ID=bare', '--cmdline', 'single', '--initrd', bare];
  const lone = ['--os-release', '', '--output', profile];
  assert.equal((await bench.try(['build', ...own, ...lone, ...stub])).error, undefined);
  const main = [...HASH, '--cmdline', 'quiet', '--profile', 'ID=main'];
  assert.equal((await bench.build(...main)).status, 0);
  assert.equal((await bench.build(...main, '--join-profile', profile)).status, 5);
});
