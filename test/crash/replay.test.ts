/** What the lab rebuilds is what a disk may hold, and nothing else. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { randomOf } from './random.ts';
import { type Cut, epochsOf, replay } from './replay.ts';
import type { DiskRequest } from './write-log.ts';

const SECTOR = 512;
const flush: DiskRequest = { kind: 'flush' };

/** Writes sectors full of one letter. */
function write(sector: number, letters: string, isForced = false): DiskRequest {
  const data = Buffer.from([...letters].map((letter) => letter.repeat(SECTOR)).join(''));
  return { kind: 'write', offset: sector * SECTOR, data, isForced };
}

/** Returns each moment with what the disk, four sectors of dots, then holds: a letter for a sector. */
function moments(requests: readonly DiskRequest[], samples: number, seed = 1): [Cut, string][] {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-replay-'));
  try {
    const [before, image] = [join(folder, 'before'), join(folder, 'image')];
    writeFileSync(before, '.'.repeat(4 * SECTOR));
    const random = randomOf(seed, 'test');
    const found: [Cut, string][] = [];
    for (const cut of replay(before, image, epochsOf(requests), { samples, random })) {
      const text = readFileSync(image, 'latin1');
      found.push([cut, [0, 1, 2, 3].map((sector) => text.charAt(sector * SECTOR)).join('')]);
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const contents = (found: readonly [Cut, string][], kind: Cut['kind']) =>
  found.filter(([cut]) => cut.kind === kind).map(([, content]) => content);

suite('a replay', () => {
  const log = [write(0, 'a'), write(1, 'b'), flush, write(0, 'c'), write(2, 'dd')];

  test('stops at every prefix of the log', () => {
    assert.deepEqual(contents(moments(log, 0), 'prefix'), ['....', 'a...', 'ab..', 'cb..', 'cbdd']);
  });

  test('leaves out writes of one epoch only, and of a small one every subset', () => {
    const reordered = new Set(contents(moments(log, 40), 'reordering'));
    // whole writes first: the second without the first, in each epoch
    assert.ok(reordered.has('.b..'));
    assert.ok(reordered.has('abdd'));
    for (const content of reordered) assert.match(content, /^([a.][b.]\.\.|[ac]b[d.][d.])$/);
  });

  test('tears writes of more than a sector', () => {
    const reordered = contents(moments(log, 60), 'reordering');
    assert.ok(reordered.some((content) => /^.b(d\.|\.d)$/.test(content)));
  });

  test('never leaves out a write that was forced, once a later one is there', () => {
    const forced = [write(0, 'a', true), write(1, 'b')];
    for (const [, content] of moments(forced, 40)) assert.notEqual(content, '.b..');
  });

  test('a seed repeats itself, and another seed does otherwise', () => {
    const many = Array.from({ length: 12 }, (_, index) => write(index % 4, 'x'));
    const [first, again, other] = [1, 1, 2].map((seed) =>
      moments(many, 30, seed).map(([{ name }]) => name),
    );
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
  });
});
