/**
 * Debian 12, 13 and sid as they are before a kernel is installed: all that a package of one calls, and
 * packages of two kernels where the suite has two.
 */
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { compareVersions } from '../../src/version.ts';
import type { Suite } from './debian.ts';
import { ensureFolder, findPackageFolder, type SuiteFolder } from './package-folder.ts';
import { run } from './run.ts';

/** The suites. What makes the initrd is what the package of the kernel names first. */
export const DEBIAN_SUITES = ['bookworm', 'trixie', 'sid'] as const;
export type DebianSuite = (typeof DEBIAN_SUITES)[number];

const IMAGE = 'linux-image-';
const GENERATORS = ['initramfs-tools', 'dracut'];

/** Essential packages, which no other names; what Node is linked with; loader and stub. */
const PACKAGES = [
  ...['apt', 'base-files', 'bash', 'coreutils', 'dash', 'debianutils', 'diffutils', 'dpkg'],
  ...['findutils', 'grep', 'gzip', 'hostname', 'libc-bin', 'mawk', 'mount', 'perl-base', 'sed'],
  ...['tar', 'util-linux', 'libstdc++6', 'systemd-boot-efi'],
];

/** Where the packages of kernels are in a root, those of each release in a directory of its own. */
const KERNELS = 'packages/kernels';
/** Where the package is that makes initrds. */
const GENERATOR = 'packages/generator';

/** Much of what is left, and read by no package of a kernel. */
const LEFT_OUT = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/lib/udev/hwdb.d'];

/** A Debian. All paths begin at its root. */
export interface DebianRoot {
  readonly root: string;
  /** The releases of its kernels, the oldest first. */
  readonly releases: readonly string[];
  /** The package of the program that makes initrds. */
  readonly generator: string;
}

const folderOf = (suite: DebianSuite): SuiteFolder => ({ name: `debian-${suite}`, suite });

/** Returns the root of a suite, or undefined when it is not in the cache; never touches the network. */
export function findDebianRoot(suite: DebianSuite): DebianRoot | undefined {
  const root = findPackageFolder(folderOf(suite));
  if (root === undefined) return undefined;
  const releases = readdirSync(join(root, KERNELS)).sort(compareVersions);
  const [generator = ''] = readdirSync(join(root, GENERATOR));
  return { root, releases, generator: `/${GENERATOR}/${generator}` };
}

/**
 * Fetches the roots that the cache lacks.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureDebianRoots(say?: (what: string) => void): void {
  for (const name of DEBIAN_SUITES) {
    ensureFolder(folderOf(name), say, (suite, root) => {
      fill(suite, root);
      settle(root);
    });
  }
}

function fill(suite: Suite, root: string): void {
  const releases = suite
    .matching(`^${IMAGE}[0-9].*-cloud-amd64$`)
    .map((name) => name.slice(IMAGE.length))
    .sort(compareVersions)
    .slice(-2);
  const all = suite.closure([...PACKAGES, ...releases.map((release) => IMAGE + release)]);
  const isOf = (release: string) => (name: string) => name.endsWith(`-${release}`);
  const debs = suite.unpack(
    all.filter((name) => !releases.some((release) => isOf(release)(name))),
    root,
  );
  for (const release of releases)
    for (const deb of suite.download(all.filter(isOf(release)))) keep(deb, `${KERNELS}/${release}`);
  const generator = debs.find((deb) => GENERATORS.includes(basename(deb).split('_')[0] ?? ''));
  if (generator === undefined) throw new Error('no package of this suite makes an initrd');
  keep(generator, GENERATOR);
  writeDatabase(root, debs);

  function keep(deb: string, directory: string): void {
    mkdirSync(join(root, directory), { recursive: true });
    copyFileSync(deb, join(root, directory, basename(deb)));
  }
}

/** dpkg takes the packages as installed, so that what others need is there or missing by its own word. */
function writeDatabase(root: string, debs: readonly string[]): void {
  const database = join(root, 'var/lib/dpkg');
  for (const name of ['info', 'updates', 'triggers'])
    mkdirSync(join(database, name), { recursive: true });
  const paragraphs = debs.map((deb) => {
    const text = run('dpkg-deb', ['--field', deb]).trim();
    const [, name = ''] = /^Package: (.*)$/m.exec(text) ?? [];
    const list = /^Multi-Arch: same$/m.test(text) ? `${name}:amd64.list` : `${name}.list`;
    writeFileSync(join(database, 'info', list), '');
    return `${text}\nStatus: install ok installed\n`;
  });
  writeFileSync(join(database, 'info/format'), '1\n');
  writeFileSync(join(database, 'status'), paragraphs.join('\n'));
}

/** Every installer of Debian has merged `/usr` since Debian 10; its packages have since Debian 13. */
function mergeUsr(root: string): void {
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) {
    const path = join(root, name);
    if (lstatSync(path).isSymbolicLink()) continue;
    run('cp', ['--archive', '--force', `${path}/.`, join(root, 'usr', name)]);
    rmSync(path, { recursive: true });
    symlinkSync(`usr/${name}`, path);
  }
}

/** Does what the installation of these packages would do. */
function settle(root: string): void {
  mergeUsr(root);
  for (const path of LEFT_OUT) rmSync(join(root, path), { recursive: true, force: true });
  for (const path of ['dev', 'proc', 'sys', 'tmp', 'boot', 'run', 'var/log', 'var/tmp'])
    mkdirSync(join(root, path), { recursive: true });
  const texts = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'etc/fstab': '',
    // A few modules and no search for the disk that the machine has: seconds and not minutes.
    'etc/initramfs-tools/conf.d/lab':
      'MODULES=list\nBUSYBOX=n\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\nRESUME=none\n',
    'etc/dracut.conf.d/lab.conf':
      'hostonly=no\ndracutmodules="bash kernel-modules"\ndrivers="virtio_blk"\ncompress=cat\n',
  };
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
