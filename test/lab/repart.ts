/** systemd-repart 257, with the libraries that it was made for. */
import { ownWords } from './package-folder.ts';
import { run } from './run.ts';
import { toolRoot } from './tool-root.ts';

/** Where the partitions of an image come from, and where it goes. */
export interface RepartOptions {
  /** Folder with the definitions of the partitions (repart.d(5)). */
  readonly definitions: string;
  readonly image: string;
  /** Whether the image is made anew: `create`, or has the partitions of a run before: `refuse`. */
  readonly empty: 'create' | 'refuse';
  /** The types of partitions that are left to another run. */
  readonly defer?: string;
  /** PEM files of the key that signs root hashes. */
  readonly key?: { readonly certificate: string; readonly privateKey: string };
  /** The size of the disk, as `auto` or `1G`. */
  readonly size?: string;
}

/** What it derives all identifiers from. */
export const repartSeed = '6b1d6e0e-7d0c-4f6e-9d3a-2f0c6f1f5a11';

/** Runs it on an image, and returns what it says in JSON. @throws {Error} when it fails */
export function repart(options: RepartOptions): string {
  const { definitions, image, empty, defer, key, size = 'auto' } = options;
  const [loader, ...words] = ownWords(toolRoot, 'usr/bin/systemd-repart');
  return run(loader, [
    ...[...words, '--dry-run=no', '--offline=yes', '--sector-size=512'],
    ...[`--seed=${repartSeed}`, '--json=short', `--empty=${empty}`, `--size=${size}`],
    ...(key === undefined
      ? []
      : [`--certificate=${key.certificate}`, `--private-key=${key.privateKey}`]),
    ...(defer === undefined ? [] : [`--defer-partitions=${defer}`]),
    ...[`--definitions=${definitions}`, image],
  ]);
}
