/** A directory in memory: runs that make everything durable a thousand times should not wear out a disk. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Where Linux keeps a file system in memory for everyone. */
const MEMORY = '/dev/shm';

/** Returns a path that does not exist yet, in memory where that is possible, and is removed after the test. */
export function aPathInMemory(t: TestContext, name = 'world'): string {
  const place = fs.existsSync(MEMORY) ? MEMORY : tmpdir();
  const home = fs.realpathSync(fs.mkdtempSync(join(place, 'espalier-test-')));
  t.after(() => fs.rmSync(home, { recursive: true, force: true }));
  return join(home, name);
}
