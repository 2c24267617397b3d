import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { readPartitionTable } from '../../src/gpt/partition-table.ts';
import { parsePartitionType, typeIdentifier } from '../../src/gpt/partition-type.ts';
import { findPair } from '../../src/verity/disk-pair.ts';
import { chooseRootHash } from '../../src/verity/root-hash.ts';
import { rootHashesIn } from '../../src/verity/root-hash-source.ts';
import { attempt, run } from '../lab/run.ts';
import { isRoot } from '../lab/tools.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aDirectory, verity } from './a-directory.ts';
import { blockSource } from './a-pair.ts';

const GROUP = 'VerityMatchKey=usr';
const DEFINITIONS: Readonly<Record<string, readonly string[]>> = {
  '10-usr.conf': [
    ...['Type=usr-x86-64', 'Verity=data', 'Format=ext4', 'CopyFiles=/tree:/'],
    ...['SizeMinBytes=8M', 'SizeMaxBytes=8M'],
  ],
  '20-verity.conf': ['Type=usr-x86-64-verity', 'Verity=hash', 'SizeMaxBytes=8M'],
  '30-sig.conf': ['Type=usr-x86-64-verity-sig', 'Verity=signature'],
};

const works = isRoot() && existsSync('/dev/loop-control');
const hasRepart = attempt('systemd-repart', ['--version']).status === 0;
const skip =
  !(works && hasRepart) && 'needs systemd-repart of Debian’s systemd, root and loop devices';

/** Makes an image with a file system, its hash tree and its signature. */
function anImage(t: TestContext) {
  const at = aDirectory(t);
  mkdirSync(at('tree'));
  mkdirSync(at('definitions'));
  writeFileSync(at('tree/marker'), 'this is /usr\n');
  for (const [name, lines] of Object.entries(DEFINITIONS)) {
    writeFileSync(at(`definitions/${name}`), `${['[Partition]', GROUP, ...lines].join('\n')}\n`);
  }
  const json = run('systemd-repart', [
    ...['--empty=create', '--size=auto', '--dry-run=no', '--json=short'],
    ...[`--definitions=${at('definitions')}`, `--root=${at('')}`],
    ...[`--private-key=${privateKeyPath}`, `--certificate=${certificatePath}`],
    at('disk.raw'),
  ]);
  const sources = [{ name: 'repart.json', content: new TextEncoder().encode(json) }];
  const { hex } = chooseRootHash(rootHashesIn(sources), 'usr', 'repart.json');
  return { at, hex, disk: readFileSync(at('disk.raw')) };
}

describe('an image of systemd-repart', { skip }, () => {
  test('has the pair that its output names, whole, and the signature that we make', async (t) => {
    const { at, hex, disk } = anImage(t);
    const source = blockSource(disk);
    const found = await findPair(source, 'disk.raw', hex, { deep: { name: 'disk.raw' } });
    assert.equal(found.kind, 'found');

    const { partitions } = readPartitionTable(source, 'disk.raw');
    const types = partitions.map(({ type }) => parsePartitionType(type));
    assert.deepEqual(
      types.map((type) => type && typeIdentifier(type)),
      ['usr-x86-64', 'usr-x86-64-verity', 'usr-x86-64-verity-sig'],
    );
    const { offset = 0, size = 0 } = partitions[2] ?? {};
    const theirs = disk.subarray(offset, offset + size);
    const document = [{ name: 'partition 3', content: theirs }];
    assert.deepEqual(rootHashesIn(document), [{ hex, designator: 'unknown' }]);
    await verity(
      ...['sign', hex, '--certificate', certificatePath, '--private-key', privateKeyPath],
      ...['--allow-insecure-key', '--document', at('ours')],
    );
    const ours = new Uint8Array(size);
    ours.set(readFileSync(at('ours')));
    assert.deepEqual(ours, Uint8Array.from(theirs));
  });
});
