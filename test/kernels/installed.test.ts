/** Where distributions put kernels, and which other tools would install the same ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findInstalled } from '../../src/kernels/installed.ts';
import { rivals } from '../../src/kernels/rivals.ts';
import { MemoryDisk, type Planted } from '../support/memory-disk.ts';

const disk = (files: Readonly<Record<string, Planted>>) => new MemoryDisk({ files });

const LAYOUTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Debian 12': {
    '/boot/vmlinuz-6.1.0-9-amd64': 'kernel',
    '/boot/initrd.img-6.1.0-9-amd64': 'initrd',
    '/usr/lib/modules/6.1.0-9-amd64/modules.dep': 'modules',
  },
  'Debian 14': {
    '/usr/lib/modules/7.2.13+deb14-amd64/vmlinuz': 'kernel',
    '/boot/vmlinuz-7.2.13+deb14-amd64': 'kernel',
    '/boot/initrd.img-7.2.13+deb14-amd64': 'initrd',
  },
  openSUSE: {
    '/usr/lib/modules/6.9.1-1-default/vmlinuz': 'kernel',
    '/usr/lib/modules/6.9.1-1-default/initrd': 'initrd',
  },
  Arch: {
    '/usr/lib/modules/6.9.3-arch1-1/vmlinuz': 'kernel',
    '/usr/lib/modules/6.9.3-arch1-1/pkgbase': 'linux\n',
    '/boot/initramfs-linux.img': 'initrd',
    '/boot/intel-ucode.img': 'microcode',
  },
};

for (const [name, files] of Object.entries(LAYOUTS)) {
  test(`the kernel of ${name} is found once, with its initrd`, () => {
    const [kernel, ...others] = findInstalled(disk(files));
    assert.deepEqual(others, []);
    assert.ok(kernel);
    assert.ok(files[kernel.image]);
    assert.equal(kernel.modules, `/usr/lib/modules/${kernel.release}`);
    assert.equal(files[kernel.initrds.at(-1) ?? ''], 'initrd');
    assert.equal(kernel.initrds.length, name === 'Arch' ? 2 : 1);
  });
}

test('modules without a kernel are none, and releases are ordered by version', () => {
  const found = findInstalled(
    disk({
      '/usr/lib/modules/6.1.0-10-amd64/vmlinuz': 'kernel',
      '/usr/lib/modules/6.1.0-9-amd64/vmlinuz': 'kernel',
      '/usr/lib/modules/5.10.0-1-amd64/kernel/a.ko': 'left behind',
    }),
  );
  assert.deepEqual(
    found.map(({ release }) => release),
    ['6.1.0-10-amd64', '6.1.0-9-amd64'],
  );
});

test('what Debian 14 leaves of a kernel that was removed is none', () => {
  const left = { '/usr/lib/modules/7.2.13+deb14-amd64/vmlinuz': 'kernel' };
  assert.equal(findInstalled(disk(left)).length, 1);
  assert.equal(findInstalled(disk({ ...left, '/usr/bin/dpkg': 'program' })).length, 0);
});

const KERNEL_INSTALL = {
  '/usr/bin/kernel-install': 'program',
  '/usr/lib/kernel/install.d/90-loaderentry.install': 'plugin',
};

test('kernel-install is named with what turns it off, and not once it is off', () => {
  const [told = ''] = rivals(disk(KERNEL_INSTALL));
  assert.match(told, /`echo layout=espalier >>\/etc\/kernel\/install\.conf`$/);
  const off = { '/etc/kernel/install.conf': 'layout=bls\nlayout=espalier\n' };
  assert.deepEqual(rivals(disk({ ...KERNEL_INSTALL, ...off })), []);
  const masked = { '/etc/kernel/install.d/90-loaderentry.install': { link: '/dev/null' } };
  assert.deepEqual(rivals(disk({ ...KERNEL_INSTALL, ...masked })), []);
});

test('mkinitcpio’s plugin knows no other layout, so the plugin that writes entries is masked there', () => {
  const plugin = { '/usr/lib/kernel/install.d/50-mkinitcpio.install': 'plugin' };
  assert.match(rivals(disk({ ...KERNEL_INSTALL, ...plugin }))[0] ?? '', /`ln -sf \/dev\/null /);
});

test('on Debian kernel-install counts only where systemd-boot’s package calls it', () => {
  const debian = { ...KERNEL_INSTALL, '/usr/bin/dpkg': 'program' };
  assert.deepEqual(rivals(disk(debian)), []);
  const called = { '/etc/kernel/postinst.d/zz-systemd-boot': 'hook' };
  assert.equal(rivals(disk({ ...debian, ...called })).length, 1);
});

test('a preset of mkinitcpio that writes images is named', () => {
  const preset = (text: string) => disk({ '/etc/mkinitcpio.d/linux.preset': text });
  assert.equal(rivals(preset('default_uki="/efi/EFI/Linux/arch.efi"\n')).length, 1);
  assert.deepEqual(rivals(preset('#default_uki="/efi/EFI/Linux/arch.efi"\n')), []);
});
