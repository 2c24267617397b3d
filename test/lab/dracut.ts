/** Debian's dracut, unpacked and never installed: installing it would change the machine's own boot. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { findMirror, hasDebianTools, openSuite } from './debian.ts';
import { cacheFolder, type Parts } from './parts.ts';
import { run } from './run.ts';

const root = join(cacheFolder, 'dracut');
const libraries = join(root, 'lib/x86_64-linux-gnu');

/** Returns the folder of the unpacked packages, if it is in the cache; never touches the network. */
export function findDracutRoot(): string | undefined {
  return existsSync(root) ? root : undefined;
}

/**
 * Fetches dracut and what it runs from the machine's own Debian mirror, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureDracutRoot(say: (what: string) => void = () => {}): void {
  if (existsSync(root)) return;
  if (!hasDebianTools()) throw new Error('dracut comes from Debian: this needs apt-get on amd64');
  mkdirSync(cacheFolder, { recursive: true });
  const work = mkdtempSync(join(cacheFolder, '.fetch-dracut-'));
  try {
    say('bookworm: dracut');
    const suite = openSuite('bookworm', join(work, 'apt'), findMirror());
    suite.unpack(['dracut-core', 'cpio', 'kmod', 'libkmod2'], join(work, 'root'));
    // The folder appears when all of it is there, so its presence is its completeness.
    if (!existsSync(root)) renameSync(join(work, 'root'), root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
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
