import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { withNixDatabases } from '../../src/filesystem/nix-database.ts';
import type { Contents } from '../../src/tree/contents.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory, plant, treeOf } from '../tree/a-tree.ts';
import { aWorkshop } from './a-workshop.ts';

const absent = missingTools(['nix-bin']);
const skip = absent.length > 0 && `install it: ${installCommand(absent)}`;

const PATH = '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a';
const HASH = '0ssi1wpaf7plaswqqjwigppsg5fyh99vdlb9kzl7c9lng89ndq1i';

describe('the database of a Nix store', { skip }, () => {
  test('is in the image with its paths, and the same a second later', async (t) => {
    const at = aDirectory(t);
    plant(at, { registration: `${PATH}\n${HASH}\n120\n\n0\n`, list: '' });
    const closure: Contents = {
      kind: 'closure',
      list: at('list'),
      registration: at('registration'),
      database: true,
    };
    using workshop = aWorkshop();
    const databases: Buffer[] = [];
    for (let count = 0; count < 2; count++) {
      const contents = await withNixDatabases([closure], 5, workshop);
      const tree = treeOf(contents);
      const node = tree.values().find(({ path }) => path === '/nix/var/nix/db/db.sqlite');
      assert.ok(node?.content !== undefined && 'path' in node.content);
      databases.push(readFileSync(node.content.path));
      const database = new DatabaseSync(node.content.path, { readOnly: true });
      t.after(() => database.close());
      const rows = database.prepare('SELECT path, registrationTime FROM ValidPaths').all();
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [{ path: PATH, registrationTime: 5 }],
      );
      assert.ok(tree.values().some(({ path }) => path === '/nix/var/nix/db/schema'));
      // The database counts in seconds.
      if (count === 0) await setTimeout(1100);
    }
    assert.ok(databases[0]?.equals(databases[1] ?? Buffer.of()));
  });

  test('that nix-store cannot load is refused with its words', async (t) => {
    const at = aDirectory(t);
    plant(at, { registration: 'no path\n', list: '' });
    const closure: Contents = {
      kind: 'closure',
      list: at('list'),
      registration: at('registration'),
      database: true,
    };
    using workshop = aWorkshop();
    await assert.rejects(withNixDatabases([closure], 5, workshop), {
      code: 'TOOL_FAILED',
      message: /wrong length/,
    });
  });
});
