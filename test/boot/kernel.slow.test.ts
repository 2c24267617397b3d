/** A kernel that a package installed boots under OVMF: the generation of its newest initrd, by its own name. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { espalier } from '../lab/espalier.ts';
import { makeProofInitrd } from '../lab/initrd.ts';
import { emulated } from '../lab/qemu.ts';
import { bootDirectory, theParts, whatIsMissing } from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);

const folder = mkdtempSync(join(tmpdir(), 'espalier-kernel-boot-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the newest initrd of an installed kernel boots, behind its microcode', { skip }, async () => {
  const parts = theParts();
  const release = parts.kernelVersion;
  const root = join(folder, 'root');
  const put = (path: string, content: Uint8Array | string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  cpSync(parts.kernel, join(root, 'boot', `vmlinuz-${release}`));
  cpSync(join(parts.systemdRoot[262], 'lib/systemd/boot'), join(root, 'usr/lib/systemd/boot'), {
    recursive: true,
  });
  put(`usr/lib/modules/${release}/modules.order`, '');
  put('etc/machine-id', '0123456789abcdef0123456789abcdef\n');
  const parameters = ['console=ttyS0', 'quiet', 'panic=1', ...emulated];
  put('etc/kernel/cmdline', `# of the lab\n${parameters.join(' ')}\n`);
  put(
    'etc/espalier.toml',
    'esp = "/efi"\nallow-directory = true\nallow-unsigned = true\n[loader]\ntimeout = 0\n',
  );
  mkdirSync(join(root, 'efi'));
  // An odd size: what follows it has to begin at a multiple of four bytes.
  put(
    'staging/microcode',
    Buffer.concat([formatCpio([memberOf('microcode', 'none')]), Buffer.alloc(1)]),
  );
  for (const note of ['first', 'second']) {
    put('staging/initrd', makeProofInitrd(parts, note));
    const files = [`/boot/vmlinuz-${release}`, '/staging/microcode', '/staging/initrd'];
    const added = espalier(['kernel', 'add', release, ...files, '--root', root]);
    assert.equal(added.status, 0, added.stderr);
    const installed = espalier(['install', '--root', root]);
    assert.equal(installed.status, 0, installed.stderr);
  }
  const boot = await bootDirectory(join(root, 'efi'));
  const { entry = '', cmdline = '' } = boot.proof ?? {};
  assert.match(entry, /^0123456789abcdef0123456789abcdef-generation-2-\w{52}\.efi$/, boot.console);
  const [, system = ''] = / espalier\.system=(\S+)/.exec(cmdline) ?? [];
  assert.equal(system, readlinkSync(join(root, 'var/lib/espalier/kernels/system-2-link')), cmdline);
});
