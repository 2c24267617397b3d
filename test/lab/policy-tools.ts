/** systemd-measure, systemd-keyutil and systemd-creds as ukify 262 wants them, with their libraries. */
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
  writeStarters,
} from './package-folder.ts';

/** Before version 260, systemd-measure signed with the hash of each bank, and knew no policy references. */
const folder: PackageFolder = {
  name: 'policy-tools',
  suite: 'sid',
  packages: [
    ...['systemd', 'systemd-tpm', 'systemd-repart', 'libsystemd-shared', 'libsystemd0', 'libc6'],
    ...['libgcc-s1'],
    ...['libacl1', 'libaudit1', 'libblkid1', 'libcap2', 'libcap-ng0', 'libcrypt1', 'libmount1'],
    ...['libpam0g', 'libpcre2-8-0', 'libseccomp2', 'libselinux1', 'libssl3t64', 'libuuid1'],
    ...['libzstd1', 'zlib1g', 'libtss2-esys-3.0.2-0t64', 'libtss2-mu-4.0.1-0t64'],
    ...['libtss2-rc0t64', 'libtss2-sys1t64', 'libtss2-tcti-swtpm0t64', 'libtss2-tcti-device0t64'],
  ],
  finish: (root) => writeStarters(root, 'tools', PROGRAMS),
};

const PROGRAMS = {
  'systemd-measure': 'usr/lib/systemd/systemd-measure',
  'systemd-keyutil': 'usr/lib/systemd/systemd-keyutil',
  'systemd-creds': 'usr/bin/systemd-creds',
} as const;

/** The folder of scripts that start the programs with their own libraries: ukify finds them by `--tools`. */
export const policyTools = join(packageRoot(folder), 'tools');

/** Says whether they are in the cache; never touches the network. */
export function hasPolicyTools(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches them, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensurePolicyTools(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}
