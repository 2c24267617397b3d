/** The files of a Debian system with systemd: unpacked from its packages, and as members of an initrd. */
import { linkOf, type Member, memberOf, membersUnder } from './cpio.ts';
import { ensurePackageFolder, findPackageFolder, type PackageFolder } from './package-folder.ts';

/** systemd, what it links to or loads, and what Node links to. Tools are busybox's. */
const packages = [
  ...['systemd', 'libsystemd-shared', 'libsystemd0', 'mount'],
  ...['libacl1', 'libapparmor1', 'libargon2-1', 'libaudit1', 'libblkid1', 'libcap2', 'libcap-ng0'],
  ...['libcrypt1', 'libcryptsetup12', 'libdevmapper1.02.1', 'libfdisk1', 'libffi8', 'libgcrypt20'],
  ...['libgpg-error0', 'libip4tc2', 'libjson-c5', 'libkmod2', 'liblz4-1', 'liblzma5', 'libmount1'],
  ...['libp11-kit0', 'libpam0g', 'libpcre2-8-0', 'libseccomp2', 'libselinux1', 'libsmartcols1'],
  ...['libssl3', 'libudev1', 'libuuid1', 'libzstd1'],
  ...['libc6', 'libgcc-s1', 'libstdc++6'],
];

/** What no test looks at, by what its path begins with: half of the bytes, and seconds of every start. */
const leftOut = [
  ...['usr/share/', 'usr/lib/udev/', 'etc/init.d/', 'usr/lib/x86_64-linux-gnu/gconv/'],
  // what a first start would set up is there already, or nobody asks for it
  'usr/lib/systemd/system/sysinit.target.wants/',
  'usr/lib/systemd/system/sockets.target.wants/systemd-initctl',
  'usr/lib/systemd/system/sockets.target.wants/systemd-udevd',
  ...['usr/lib/systemd/system/timers.target.wants/', 'usr/lib/systemd/system-generators/'],
];

const folder: PackageFolder = {
  name: 'systemd-root',
  suite: 'bookworm',
  packages,
};

/** Returns the folder of the unpacked system, if it is in the cache; never touches the network. */
export function findSystemdRoot(): string | undefined {
  return findPackageFolder(folder);
}

/**
 * Returns the folder of the unpacked system, fetching it when the cache lacks it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureSystemdRoot(say?: (what: string) => void): string {
  return ensurePackageFolder(folder, say);
}

/** Folders that Debian joins into `/usr` when it installs itself, which unpacking alone does not do. */
const joined = ['bin', 'sbin', 'lib', 'lib64'];

/** What Debian writes when it installs itself. */
const identity = [
  memberOf('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n'),
  memberOf('etc/group', 'root:x:0:\nsystemd-journal:x:101:\nnogroup:x:65534:\n'),
  memberOf('etc/os-release', 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian in a test"\n'),
  memberOf('etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
  memberOf('etc/hostname', 'guest\n'),
];

/** Returns the system as the members of an initrd, without what a machine of one minute never needs. */
export function systemdMembers(): readonly Member[] {
  const root = ensureSystemdRoot();
  const members = membersUnder(root).map((member) => ({
    ...member,
    path: member.path.slice(root.length).replace(/^(s?bin|lib|lib64)(?=\/|$)/, 'usr/$1'),
  }));
  return [
    ...members.filter(({ path }) => path !== '' && !leftOut.some((it) => path.startsWith(it))),
    ...joined.map((name) => linkOf(name, `usr/${name}`)),
    ...identity,
  ];
}
