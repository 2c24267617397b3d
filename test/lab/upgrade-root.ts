/** Debian 12 as a disk of its own has it: systemd, udev, apt, a kernel, and a newer kernel in a repository. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { findMirror, openSuite } from './debian.ts';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';
import { ensureParts } from './parts.ts';
import { run } from './run.ts';

/** What makes the initrd, and what else the package of a kernel wants to be installed. */
const KERNEL_NEEDS = ['kmod', 'linux-base', 'tiny-initramfs'];

const folder: PackageFolder = {
  name: 'upgrade-root',
  suite: 'bookworm',
  packages: [
    ...KERNEL_NEEDS,
    ...['apt', 'coreutils', 'cpio', 'dash', 'debconf', 'debianutils', 'diffutils', 'dpkg'],
    ...['e2fsprogs', 'efibootmgr', 'findutils', 'grep', 'gzip', 'mawk', 'mount', 'perl-base'],
    ...['sed', 'systemd', 'systemd-boot', 'systemd-boot-efi', 'systemd-sysv', 'tar'],
    ...['tiny-initramfs-core', 'udev', 'util-linux'],
    ...['libacl1', 'libapparmor1', 'libapt-pkg6.0', 'libargon2-1', 'libattr1', 'libaudit1'],
    ...['libblkid1', 'libbz2-1.0', 'libc-bin', 'libc6', 'libcap-ng0', 'libcap2', 'libcom-err2'],
    ...['libcrypt1', 'libcryptsetup12', 'libdevmapper1.02.1', 'libefiboot1', 'libefivar1'],
    ...['libext2fs2', 'libfdisk1', 'libffi8', 'libgcc-s1', 'libgcrypt20', 'libgmp10'],
    ...['libgpg-error0', 'libip4tc2', 'libjson-c5', 'libkmod2', 'liblz4-1', 'liblzma5', 'libmd0'],
    ...['libmount1', 'libp11-kit0', 'libpam0g', 'libpcre2-8-0', 'libpopt0', 'libseccomp2'],
    ...['libselinux1', 'libsmartcols1', 'libssl3', 'libstdc++6', 'libsystemd-shared'],
    ...['libsystemd0', 'libtinfo6', 'libudev1', 'libuuid1', 'libxxhash0', 'libzstd1', 'zlib1g'],
  ],
  finish: settle,
};

/** Where it lies, or will lie. */
export const upgradeRoot = packageRoot(folder);

/** Says whether it is in the cache; never touches the network. */
export function hasUpgradeRoot(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches it, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureUpgradeRoot(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}

/** What no test looks at, by its path: most of the bytes, and seconds of every start. */
const LEFT_OUT = [
  'usr/share/{doc,man,locale,info,lintian,bug,zoneinfo}',
  'usr/lib/x86_64-linux-gnu/{gconv,perl-base/unicore}',
  'usr/lib/udev/hwdb.d',
  // The rules that tell of block devices are the only ones that anybody asks.
  'usr/lib/udev/rules.d/!(50-udev-default|60-block|60-persistent-storage|99-systemd).rules',
  // What a first start would set up is there already, or nobody asks for it.
  'usr/lib/systemd/system/sysinit.target.wants/!(systemd-udev*|systemd-journald*)',
  'usr/lib/systemd/system/sockets.target.wants/systemd-initctl*',
  'usr/lib/systemd/system/timers.target.wants',
  'usr/lib/systemd/system-generators/!(systemd-fstab-generator|systemd-bless-boot-generator)',
  // Another tool that would install the same kernels.
  'etc/{kernel,initramfs}/**/*systemd-boot',
];

/** What is in the way of the kernel between the disk and the ESP. */
const MODULES =
  /^(virtio(_ring|_pci|_pci_modern_dev|_pci_legacy_dev|_blk)?|v?fat|nls_(ascii|cp437|utf8|ucs2_utils)|efivarfs)\.ko/;

/** Does what the installation of these packages would do. */
function settle(root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const from = join(root, name);
    if (existsSync(from))
      run('cp', ['-a', '--remove-destination', `${from}/.`, `${root}/usr/${name}/`]);
    rmSync(from, { recursive: true, force: true });
    symlinkSync(`usr/${name}`, from);
  }
  for (const path of globSync(LEFT_OUT, { cwd: root }))
    rmSync(join(root, path), { recursive: true });
  const directories = [
    'boot/efi',
    'dev',
    'proc',
    'root',
    'run',
    'sys',
    'tmp',
    'var/log',
    'var/tmp',
  ];
  for (const name of [...directories, 'var/lib/dpkg/info', 'var/lib/dpkg/updates'])
    mkdirSync(join(root, name), { recursive: true });
  symlinkSync('/run', join(root, 'var/run'));
  symlinkSync('mawk', join(root, 'usr/bin/awk'));
  for (const [path, text] of Object.entries(TEXTS)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const parts = ensureParts();
  copyFileSync(parts.kernel, join(root, 'boot', basename(parts.kernel)));
  cpSync(parts.modules, join(root, 'usr/lib/modules', parts.kernelVersion), { recursive: true });
  trimModules(join(root, 'usr/lib/modules', parts.kernelVersion));
  const work = mkdtempSync(join(tmpdir(), 'espalier-upgrade-'));
  try {
    placeStatus(root, join(work, 'old'));
    placeRepository(root, join(work, 'new'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What Debian’s installer, packages that are not here, and the machine’s owner would write. */
const TEXTS = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  'etc/group':
    'root:x:0:\ntty:x:5:\ndisk:x:6:\nlp:x:7:\nkmem:x:15:\ndialout:x:20:\ncdrom:x:24:\ntape:x:26:\naudio:x:29:\nvideo:x:44:\ninput:x:104:\nsgx:x:105:\nkvm:x:106:\nrender:x:107:\nnogroup:x:65534:\nsystemd-journal:x:101:\n',
  'etc/os-release': 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  'etc/hostname': 'guest\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'etc/fstab': '/dev/vda1 /boot/efi vfat umask=0077,noatime 0 0\n',
  'etc/apt/sources.list': 'deb [trusted=yes] file:/srv/apt ./\n',
  'etc/apt/apt.conf.d/lab':
    'APT::Sandbox::User "root";\nAcquire::Languages "none";\nAPT::Install-Recommends "false";\n',
  'etc/tiny-initramfs/tiny-initramfs.conf':
    'AUTO_MODULES=no\nINCLUDE_MODULES=virtio_blk,ext4\nMICROCODE=no\n',
  // Nobody asks for other devices.
  'etc/systemd/system/systemd-udev-trigger.service.d/lab.conf':
    '[Service]\nExecStart=\nExecStart=udevadm trigger --type=all --action=add --subsystem-match=block\n',
};

/** Leaves the modules of this machine, not packed, which is how tiny-initramfs wants them. */
function trimModules(modules: string): void {
  for (const entry of globSync('kernel/**/*.ko*', { cwd: modules })) {
    const path = join(modules, entry);
    if (!MODULES.test(basename(path))) rmSync(path);
    else if (path.endsWith('.xz')) run(ensureParts().busybox, ['unxz', path]);
  }
  run('find', [modules, '-type', 'd', '-empty', '-delete']);
}

/** Has dpkg know what the package of a kernel depends on. Of the rest it knows nothing: it was unpacked. */
function placeStatus(root: string, work: string): void {
  const fields = ['Package', 'Version', 'Architecture', 'Maintainer', 'Provides', 'Description'];
  const debs = openSuite('bookworm', work, findMirror()).download(KERNEL_NEEDS);
  const status = debs.map(
    (deb) => `${run('dpkg-deb', ['-f', deb, ...fields]).trim()}\nStatus: install ok installed\n`,
  );
  writeFileSync(join(root, 'var/lib/dpkg/status'), status.join('\n'));
}

/** Makes a repository of the package of a newer kernel, with the modules of this machine and not packed. */
function placeRepository(root: string, work: string): void {
  const suite = openSuite('bookworm-backports', work, findMirror());
  const names = suite.dependencies('linux-image-cloud-amd64', /^linux-image-[0-9].*-cloud-amd64$/);
  const [deb = ''] = suite.download(names);
  const [content, repository] = [join(work, 'content'), join(root, 'srv/apt')];
  run('dpkg-deb', ['-R', deb, content]);
  for (const modules of globSync(join(content, '{usr/,}lib/modules/*'))) trimModules(modules);
  for (const path of globSync(join(content, '{boot/System.map*,usr/share,DEBIAN/md5sums}')))
    rmSync(path, { recursive: true });
  mkdirSync(repository, { recursive: true });
  const made = join(repository, 'kernel.deb');
  run('dpkg-deb', ['--root-owner-group', '-Znone', '-b', content, made]);
  const sum = run('sha256sum', [made]).slice(0, 64);
  const place = [`Filename: ./${basename(made)}`, `Size: ${statSync(made).size}`, `SHA256: ${sum}`];
  const control = readFileSync(join(content, 'DEBIAN/control'), 'utf8').trim();
  writeFileSync(join(repository, 'Packages'), `${control}\n${place.join('\n')}\n`);
}
