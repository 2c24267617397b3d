/** Disks of our own making start under a BIOS, with the loader that Debian's GRUB makes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { drive, runMachine } from '../lab/qemu.ts';
import { attempt, run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { espalierDoes } from './verity-machine.ts';

const missing = missingTools(['grub-common', 'grub-pc-bin', 'qemu-system-x86']);
const skip =
  missing.length > 0
    ? `SKIPPED, missing tools: ${installCommand(missing)}`
    : attempt('mkfs.ext4', ['-V']).status !== 0 && 'SKIPPED, there is no mkfs.ext4';

/** The root partition as GRUB calls it, by table. */
const ROOTS = { legacy: 'msdos1', 'legacy+gpt': 'gpt2', hybrid: 'gpt3' } as const;

suite('under a BIOS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bios-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);

  for (const [table, root] of Object.entries(ROOTS)) {
    test(`${table}: the loader starts, and reads a file of the root`, { skip }, async () => {
      const commands = [
        ...['serial --unit=0 --speed=115200', 'terminal_output serial'],
        ...[`cat (hd0,${root})/etc/motd`, 'halt'],
      ];
      writeFileSync(at('early.cfg'), `${commands.join('\n')}\n`);
      run('grub-mkimage', [
        ...['-O', 'i386-pc', '-o', at('core.img'), '-c', at('early.cfg'), '-p', `(hd0,${root})/`],
        ...['biosdisk', 'part_gpt', 'part_msdos', 'ext2', 'serial', 'terminal', 'cat', 'halt'],
      ]);
      writeFileSync(at('image.toml'), description(table));
      espalierDoes(['image', 'build', at('image.toml'), '--force']);
      const machine = [...drive(at('disk.raw'), 'format=raw,if=ide'), '-no-reboot'];
      const { text } = await runMachine(machine, {
        ...{ limit: 120, memory: 128 },
        stopAt: /this is the root of \S+\s/,
      });
      assert.match(text, new RegExp(`this is the root of ${table.replace('+', '\\+')}`));
    });
  }
});

function description(table: string): string {
  return `
output = "disk.raw"
table = "${table}"
additional-space = "4MiB"
${table.startsWith('legacy') || table === 'none' ? '' : 'boot-size = "44MiB"'}
[root]
contents = [{ text = "this is the root of ${table}\\n", target = "/etc/motd" }]
[bios]
boot-code = "/usr/lib/grub/i386-pc/boot.img"
core = "core.img"
`;
}
