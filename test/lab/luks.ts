/** Volumes that a TPM opens by a policy: made and enrolled here, opened in a guest by systemd's own programs. */
import { chmodSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Member, memberFrom, memberOf } from './cpio.ts';
import { moduleMember } from './initrd.ts';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
  writeStarters,
} from './package-folder.ts';
import type { Parts } from './parts.ts';
import { run } from './run.ts';
import { startTpm } from './swtpm.ts';

const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
const CRYPTSETUP = 'usr/bin/systemd-cryptsetup';
const TOKEN = 'cryptsetup/libcryptsetup-token-systemd-tpm2.so';
const PCREXTEND = 'usr/lib/systemd/systemd-pcrextend';

const folder: PackageFolder = {
  name: 'luks-tools',
  suite: 'sid',
  packages: [
    ...['systemd', 'systemd-tpm', 'systemd-cryptsetup', 'libsystemd-shared', 'libc6', 'libgcc-s1'],
    ...['libargon2-1', 'libblkid1', 'libcap2', 'libcrypt1', 'libcryptsetup12', 'libudev1'],
    ...['libdevmapper1.02.1', 'libjson-c5', 'libmount1', 'libpcre2-8-0', 'libseccomp2'],
    ...['libselinux1', 'libssl3t64', 'libuuid1', 'libzstd1', 'zlib1g'],
    ...['libtss2-esys-3.0.2-0t64', 'libtss2-mu-4.0.1-0t64', 'libtss2-rc0t64', 'libtss2-sys1t64'],
    ...['libtss2-tcti-swtpm0t64', 'libtss2-tcti-device0t64'],
  ],
  finish: (root) =>
    writeStarters(root, 'tools', { 'systemd-cryptenroll': 'usr/bin/systemd-cryptenroll' }),
};

/** Says whether the programs are in the cache; never touches the network. */
export function hasLuksTools(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches them, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureLuksTools(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}

const VOLUME_SIZE = 4 << 20;

/**
 * Makes a LUKS2 volume, and enrols the TPM whose state is in `state` below `directory` for what a public
 * key signs policies of PCR 11 for. Needs cryptsetup-bin and swtpm. Returns the volume's image.
 */
export async function makeLuksVolume(directory: string, publicKey: string): Promise<string> {
  mkdirSync(directory);
  const [volume, password] = [join(directory, 'volume'), join(directory, 'password')];
  writeFileSync(volume, '');
  truncateSync(volume, VOLUME_SIZE);
  writeFileSync(password, 'a password');
  chmodSync(password, 0o600);
  const small = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m'];
  // A password that everyone knows needs no slow derivation.
  const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
  run('cryptsetup', ['luksFormat', '-q', '--type', 'luks2', ...small, ...quick, volume, password]);
  await using tpm = await startTpm(directory);
  run(join(packageRoot(folder), 'tools/systemd-cryptenroll'), [
    ...[`--unlock-key-file=${password}`, `--tpm2-device=${tpm.device}`, '--tpm2-pcrs='],
    ...[`--tpm2-public-key=${publicKey}`, '--tpm2-public-key-pcrs=11', volume],
  ]);
  return volume;
}

/** In the order in which they have to be loaded: a virtio disk, and what opens a volume on it. */
const modules = [
  ...['drivers/virtio/virtio.ko', 'drivers/virtio/virtio_ring.ko'],
  ...['drivers/virtio/virtio_pci_legacy_dev.ko', 'drivers/virtio/virtio_pci_modern_dev.ko'],
  ...['drivers/virtio/virtio_pci.ko', 'drivers/block/virtio_blk.ko'],
  ...['drivers/md/dm-mod.ko', 'drivers/md/dm-crypt.ko'],
  ...['crypto/ecb.ko', 'crypto/xts.ko', 'crypto/af_alg.ko', 'crypto/algif_skcipher.ko'],
];

/** What the programs link to and load; the C library's own plug-ins are for nobody here. */
const library =
  /^(ld-linux-x86-64|lib(c|m|argon2|blkid|cap|crypto|cryptsetup|devmapper|json-c|mount|pcre2-8|selinux|ssl|tss2-\w+|tss2-tcti-device|udev|uuid|z|zstd))\.so\.(\d+|1\.02\.1)$/;

/** What the guest prints before each try to open its second disk, with the status of the try behind it. */
export const luksMark = 'ESPALIER-LUKS';

const beforeProof = `exec > /dev/console 2>&1
mkdir -p /dev /run /tmp
mount -t devtmpfs dev /dev
for module in $(cat /modules/luks); do insmod /modules/$module; done
export DM_DISABLE_UDEV=1 SYSTEMD_LOG_TARGET=console
attach() {
  /${CRYPTSETUP} attach $1 /dev/vdb none tpm2-device=auto,headless=true,tpm2-signature=/.extra/tpm2-pcr-signature.json
  echo "${luksMark} $1=$?"
}
attach early
/${PCREXTEND} enter-initrd
attach volume
for file in /.extra/global_*/*; do echo "${luksMark} $file=$(cat $file)"; done
`;

/** Returns what an initrd brings that opens its second disk: once before the phase of the initrd, once in it. */
export function luksMembers(parts: Parts): readonly Member[] {
  const root = packageRoot(folder);
  const names = readdirSync(join(root, LIBRARIES)).filter((name) => library.test(name));
  const shared = readdirSync(join(root, LIBRARIES, 'systemd')).filter((name) =>
    name.startsWith('libsystemd-shared-'),
  );
  // cryptsetup opens a volume by a token with what it finds under this name.
  const paths = [...names, ...shared.map((name) => `systemd/${name}`), TOKEN];
  return [
    ...[CRYPTSETUP, PCREXTEND].map((path) => memberFrom(path, join(root, path), 0o755)),
    ...paths.map((path) => memberFrom(`${LIBRARIES}/${path}`, join(root, LIBRARIES, path), 0o755)),
    memberFrom('lib64/ld-linux-x86-64.so.2', join(root, LIBRARIES, 'ld-linux-x86-64.so.2'), 0o755),
    ...modules.map((path) => moduleMember(parts, path)),
    memberOf('modules/luks', modules.map((path) => path.replace(/^.*\//, '')).join('\n')),
    memberOf('before-proof', beforeProof, 0o755),
  ];
}
