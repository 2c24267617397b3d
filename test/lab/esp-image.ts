/** FAT images of an ESP, filled and read back without root. Needs dosfstools and mtools. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

const mebibyte = 1024 * 1024;
/** FAT32 needs 65,525 clusters; with less the firmware would see a FAT16 that calls itself FAT32. */
const smallestImage = 64 * mebibyte;
const quiet = { env: { MTOOLS_SKIP_CHECK: '1' } };

/**
 * Makes a FAT32 image that holds what lies in `directory`.
 * @param size in bytes; by default the content and 16 MiB
 */
export function makeEspImage(image: string, directory: string, size = sizeFor(directory)): void {
  makeEmptyImage(image, size);
  copyOnto(image, directory);
}

/** Makes an empty FAT32 image of `size` bytes. */
export function makeEmptyImage(image: string, size: number): void {
  const file = openSync(image, 'w');
  ftruncateSync(file, size);
  closeSync(file);
  run('mkfs.vfat', ['-F', '32', '-n', 'ESP', image]);
}

/** Copies the content of `directory` into the image's root. */
function copyOnto(image: string, directory: string): void {
  const names = readdirSync(directory).map((name) => join(directory, name));
  if (names.length > 0) run('mcopy', ['-i', image, '-s', '-o', ...names, '::/'], quiet);
}

/** Copies everything in the image into `directory`. */
export function copyOff(image: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  run('mcopy', ['-i', image, '-s', '-n', '-m', '::/*', directory], quiet);
}

function sizeFor(directory: string): number {
  const wanted = treeSize(directory) + 16 * mebibyte;
  return Math.max(smallestImage, Math.ceil(wanted / mebibyte) * mebibyte);
}

function treeSize(directory: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
