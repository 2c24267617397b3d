/** The initrd of a system whose /usr is protected by dm-verity: systemd, packed by Debian's dracut. */
import { hash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dracutInputs, makeDracut } from './dracut.ts';
import { cacheFolder, type Parts } from './parts.ts';
import { run } from './run.ts';
import { ensureToolRoot, toolPackages } from './tool-root.ts';

/** What dracut is asked for: systemd, dm-verity, and what they need. */
export const dracutOptions = [
  ...['--add', 'base systemd-initrd systemd-udevd systemd-veritysetup'],
  ...['--add-drivers', 'dm-verity', '--filesystems', 'erofs'],
];

/** Returns the archive if it is in the cache; never touches the network. */
export function findVerityInitrd(parts: Parts): string | undefined {
  const path = archivePath(parts);
  return existsSync(path) ? path : undefined;
}

/**
 * Makes the archive unless the cache has it, for the kernel of the parts.
 * @throws {Error} when the packages cannot be fetched, or dracut fails
 */
export function ensureVerityInitrd(parts: Parts, say?: (what: string) => void): void {
  const path = archivePath(parts);
  if (existsSync(path)) return;
  ensureToolRoot(say);
  const work = mkdtempSync(join(tmpdir(), 'espalier-dracut-'));
  try {
    const [made, place] = [join(work, 'initrd'), join(work, 'place')];
    mkdirSync(place);
    const dracut = join(makeDracut(parts, work), 'dracut');
    run(dracut, ['--kver', parts.kernelVersion, ...dracutOptions, made], {
      env: { TMPDIR: place },
    });
    copyFileSync(made, `${path}.new`);
    renameSync(`${path}.new`, path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Whatever goes into the archive is in its name. */
function archivePath({ kernelVersion }: Parts): string {
  const inputs = [kernelVersion, toolPackages, dracutInputs, dracutOptions];
  const digest = hash('sha256', JSON.stringify(inputs)).slice(0, 16);
  return join(cacheFolder, `verity-initrd-${digest}.cpio`);
}
