/** Debian's dracut, unpacked and never installed: installing it would change the machine's own boot. */
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';
import type { Parts } from './parts.ts';
import { run } from './run.ts';

const packages: PackageFolder = {
  name: 'dracut',
  suite: 'bookworm',
  packages: ['dracut-core', 'cpio', 'kmod', 'libkmod2'],
};
const root = packageRoot(packages);
const libraries = join(root, 'lib/x86_64-linux-gnu');

/** Returns the folder of the unpacked packages, if it is in the cache; never touches the network. */
export function findDracutRoot(): string | undefined {
  return findPackageFolder(packages);
}

/**
 * Fetches dracut and what it runs, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureDracutRoot(say?: (what: string) => void): void {
  ensurePackageFolder(packages, say);
}

/**
 * Makes a `dracut` in `folder` that runs the unpacked one on the kernel of the parts, with few modules
 * of its own. Returns the folder to put on PATH.
 */
export function makeDracut(parts: Parts, folder: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of ['depmod', 'modprobe', 'modinfo'])
    symlinkSync(join(root, 'bin/kmod'), join(bin, name));
  symlinkSync(join(root, 'bin/cpio'), join(bin, 'cpio'));
  const modules = join(folder, 'lib/modules', parts.kernelVersion);
  cpSync(parts.modules, modules, { recursive: true });
  const env = { LD_LIBRARY_PATH: libraries };
  run(join(bin, 'depmod'), ['-b', folder, parts.kernelVersion], { env });
  const lines = [
    '#!/bin/sh',
    `export dracutbasedir=${root}/usr/lib/dracut LD_LIBRARY_PATH=${libraries}`,
    `export DRACUT_PATH="${bin} /sbin /bin /usr/sbin /usr/bin"`,
    `exec ${root}/usr/bin/dracut --conf /dev/null --confdir ${root}/etc/dracut.conf.d \\`,
    `  --kmoddir ${modules} --modules "bash kernel-modules" --no-compress "$@"`,
    '',
  ];
  writeFileSync(join(bin, 'dracut'), lines.join('\n'));
  chmodSync(join(bin, 'dracut'), 0o755);
  return bin;
}
