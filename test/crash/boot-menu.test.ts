/** The lab's model of systemd-boot lists, sorts and chooses as its documentation says. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { aPe } from '../pe/a-pe.ts';
import { choiceOf, menuOf } from './boot-menu.ts';
import { readFolder, type Tree } from './tree.ts';
import { compareVersions } from './version-order.ts';

/** Calls `look` with a tree of these files. */
function withTree<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  look: (tree: Tree) => T,
): T {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-menu-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    return look(readFolder(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function image(release: string): Uint8Array {
  return aPe({ sections: [{ name: '.osrel', bytes: new TextEncoder().encode(release) }] });
}

const entry = (version: string) => `title A\nversion ${version}\nsort-key a\nlinux /kernel\n`;

suite('the menu', () => {
  test('lists images that name themselves and entries whose kernel is there', () => {
    const files = {
      kernel: 'kernel',
      'EFI/Linux/named.efi': image('ID=a\nPRETTY_NAME="A"\n'),
      'EFI/Linux/nameless.efi': image('HOME_URL=x\n'),
      'EFI/Linux/text.efi': 'no image',
      'EFI/Linux/.hidden.efi': image('ID=a\n'),
      'loader/entries/whole.conf': entry('1'),
      'loader/entries/without-kernel.conf': 'title A\nlinux /gone\n',
      'loader/entries/auto-something.conf': entry('1'),
      'loader/entries/empty.conf': '',
    };
    const ids = withTree(files, (tree) => menuOf(tree).map(({ id }) => id));
    assert.deepEqual(ids.sort(), ['named.efi', 'whole.conf']);
  });

  test('puts higher versions first, and entries without a sort key last', () => {
    const files = {
      kernel: 'kernel',
      'loader/entries/a-9.conf': entry('9'),
      'loader/entries/a-10.conf': entry('10'),
      'loader/entries/z.conf': 'title Z\nlinux /kernel\n',
    };
    const ids = withTree(files, (tree) => menuOf(tree).map(({ id }) => id));
    assert.deepEqual(ids, ['a-10.conf', 'a-9.conf', 'z.conf']);
  });

  const two = {
    kernel: 'kernel',
    'loader/entries/a.conf': entry('1'),
    'loader/entries/b.conf': entry('2'),
  };
  const chosen = (conf: string) =>
    withTree({ ...two, 'loader/loader.conf': conf }, (tree) => choiceOf(tree)?.id);

  test('the last default of loader.conf chooses, as a pattern without regard to case', () => {
    assert.equal(chosen('default b.conf\ndefault A.*\n'), 'a.conf');
    assert.equal(chosen('default "a.conf"\n'), 'a.conf');
  });

  test('without a default that is listed, the first line is chosen', () => {
    assert.equal(chosen('default gone.conf\n'), 'b.conf');
    assert.equal(chosen('# default a.conf\n'), 'b.conf');
  });

  test('an entry has the ID of its name without a counter, and a bad one is the last', () => {
    const files = {
      kernel: 'kernel',
      'loader/entries/a+0-3.conf': entry('9'),
      'loader/entries/b+2-1.conf': entry('8'),
      'loader/entries/c.conf': entry('1'),
      'EFI/Linux/d+x.efi': image('ID=a\nPRETTY_NAME=A\nIMAGE_VERSION=2\n'),
    };
    const ids = withTree(files, (tree) => menuOf(tree).map(({ id }) => id));
    assert.deepEqual(ids, ['b.conf', 'd+x.efi', 'c.conf', 'a.conf']);
  });

  test('what is preferred is chosen unless it is bad, by a loader that knows of that', () => {
    const preferring = (name: string, knowledge: 'default' | 'preferred') => {
      const files = {
        kernel: 'kernel',
        'loader/loader.conf': 'preferred a.conf\ndefault b.conf\n',
        [`loader/entries/${name}`]: entry('1'),
        'loader/entries/b.conf': entry('2'),
        'loader/entries/c.conf': entry('3'),
      };
      return withTree(files, (tree) => choiceOf(tree, knowledge)?.id);
    };
    assert.equal(preferring('a+1-2.conf', 'preferred'), 'a.conf');
    assert.equal(preferring('a+0-3.conf', 'preferred'), 'b.conf');
    assert.equal(preferring('a.conf', 'default'), 'b.conf');
  });

  test('a program that is cut off before its section is not listed', () => {
    const whole = image('ID=a\n');
    const files = { 'EFI/Linux/a.efi': whole.subarray(0, 514) };
    assert.deepEqual(withTree(files, menuOf), []);
  });
});

test('versions are ordered as UAPI.10 orders them', () => {
  const ascending =
    '122.1 123~rc1-1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1'.split(
      ' ',
    );
  const shuffled = ascending.toSorted((a, b) => (a < b ? 1 : -1));
  assert.deepEqual(shuffled.sort(compareVersions), ascending);
  assert.equal(compareVersions('a0', 'a00'), 0);
});
