/** Memory while an image is made: however many files a tree has. */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { ContentReader } from '../../src/tree/content-reader.ts';
import type { TreeNode } from '../../src/tree/node.ts';
import { tarStream } from '../../src/tree/tar-writer.ts';
import { aProgram, MOST_MEMORY } from '../hostile/measured.ts';
import { aDirectory } from '../tree/a-tree.ts';

const measure = aProgram(false);

/** What forty thousand more files may take, in bytes: names and records take a tenth, and garbage the rest. */
const GROWTH = 30 * 1024 * 1024;

test('an image of 40,000 files takes hardly more memory than one of 400', (t) => {
  const at = aDirectory(t);
  const peaks = [400, 40_000].map((count) => {
    writeTar(at(`${count}.tar`), count);
    writeFileSync(at('image.toml'), description(`${count}.tar`));
    const output = ['--output', at(`${count}.raw`)];
    const { status, stderr, peak } = measure(['image', 'build', at('image.toml'), ...output], {});
    assert.equal(status, 0, stderr);
    return peak;
  });
  const [few = 0, many = 0] = peaks;
  assert.ok(many < MOST_MEMORY, `${peaks}`);
  assert.ok(many - few < GROWTH, `${peaks}`);
});

/** Writes a tar file of small files, two hundred in each directory. */
function writeTar(path: string, count: number): void {
  const file = openSync(path, 'w');
  using reader = new ContentReader(nodeDisk());
  for (const piece of tarStream(crowd(count), reader)) writeSync(file, piece);
  closeSync(file);
}

function* crowd(count: number): Generator<TreeNode> {
  const plain = { mode: 0o755, uid: 0, gid: 0, modified: 7, xattrs: [] };
  const bytes = new TextEncoder().encode('a few words');
  for (let number = 0; number < count; number++) {
    const directory = `/lib/directory-${Math.floor(number / 200)}`;
    if (number % 200 === 0) yield { ...plain, path: directory, kind: 'directory', size: 0 };
    const path = `${directory}/a-name-as-libraries-have-${number}.so`;
    yield { ...plain, path, kind: 'file', size: bytes.length, content: { bytes } };
  }
}

function description(tar: string): string {
  return `
[[partition]]
type = "usr"
format = "erofs"
verity = "data"
match = "usr"
contents = [{ tar = "${tar}", target = "/" }]
[[partition]]
type = "usr-verity"
verity = "hash"
match = "usr"
`;
}
