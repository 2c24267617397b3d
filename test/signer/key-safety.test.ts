import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { type Owner, requireSafeKey } from '../../src/signer/key-safety.ts';
import { type Node, treeDisk } from './tree-disk.ts';

const ROOT: Owner = { uid: 0, stores: [] };
const KEY: Node = { content: 'key' };

/** A key at `/etc/keys/db.key`, with some nodes added or changed. */
const around = (nodes: Readonly<Record<string, Node>>) =>
  treeDisk({ '/etc': {}, '/etc/keys': {}, '/etc/keys/db.key': KEY, ...nodes });

const check = (nodes: Readonly<Record<string, Node>>, owner = ROOT) =>
  requireSafeKey('/etc/keys/db.key', owner, around(nodes));

const accepted: Readonly<Record<string, readonly [Readonly<Record<string, Node>>, Owner?]>> = {
  'a key of root, for root': [{}],
  'a key of root, for a user': [{}, { uid: 1000, stores: [] }],
  'a key of the user who runs': [
    { '/etc/keys/db.key': { ...KEY, uid: 1000 } },
    { uid: 1000, stores: [] },
  ],
  'a key that nobody may write': [{ '/etc/keys/db.key': { ...KEY, mode: 0o400 } }],
  'a key below a sticky directory': [{ '/etc': { mode: 0o1777 } }],
  'a key behind a link': [
    {
      '/etc/keys/db.key': { link: '../real/./db.key', mode: 0o777 },
      '/etc/real': {},
      '/etc/real/db.key': KEY,
    },
  ],
  'a key in a directory whose name only starts like the store': [
    {
      '/etc/keys': { link: '/nix/store-keys', mode: 0o777 },
      '/nix': {},
      '/nix/store-keys': {},
      '/nix/store-keys/db.key': KEY,
    },
  ],
};

for (const [what, [nodes, owner]] of Object.entries(accepted)) {
  test(`${what} is safe`, () => check(nodes, owner));
}

const store = { '/nix': {}, '/nix/store': { mode: 0o1775 }, '/nix/store/abc-db.key': KEY };

const refused: Readonly<Record<string, readonly [RegExp, Readonly<Record<string, Node>>, Owner?]>> =
  {
    'a key that its group can read': [
      /db\.key: it has mode 640, expected 600 or less$/,
      { '/etc/keys/db.key': { ...KEY, mode: 0o100640 } },
    ],
    'a key that everyone can read': [
      /has mode 644, expected 600 or less$/,
      { '/etc/keys/db.key': { ...KEY, mode: 0o644 } },
    ],
    'a key of somebody else': [
      /belongs to user 1000, expected root$/,
      { '/etc/keys/db.key': { ...KEY, uid: 1000 } },
    ],
    'a key of somebody who is neither root nor us': [
      /belongs to user 1001, expected root or user 1000$/,
      { '/etc/keys/db.key': { ...KEY, uid: 1001 } },
      { uid: 1000, stores: [] },
    ],
    'a key in a directory that a group can write': [
      /: \/etc\/keys lets others replace what it holds: mode 775$/,
      { '/etc/keys': { mode: 0o775 } },
    ],
    'a key below a directory that everyone can write': [
      /: \/etc lets others replace what it holds: mode 777$/,
      { '/etc': { mode: 0o777 } },
    ],
    'a key below a directory of somebody else': [
      /: \/etc belongs to user 7, expected root$/,
      { '/etc': { uid: 7 } },
    ],
    'a key in the Nix store, behind a link': [
      /lies in the Nix store/,
      { ...store, '/etc/keys/db.key': { link: '/nix/store/abc-db.key' } },
    ],
    'a key in a store elsewhere': [
      /: \/etc\/keys lies in the Nix store/,
      {},
      { uid: 0, stores: ['/etc/keys/'] },
    ],
    'a key in a store that is a link itself': [
      /: \/data\/store lies in the Nix store/,
      {
        '/etc/keys': { link: '/nix/store/abc-keys' },
        '/nix': {},
        '/nix/store': { link: '/data/store' },
        '/data': {},
        '/data/store': {},
        '/data/store/abc-keys': {},
        '/data/store/abc-keys/db.key': KEY,
      },
    ],
    'a link that somebody else can turn elsewhere': [
      /db\.key: it belongs to user 5, expected root$/,
      {
        '/etc/keys/db.key': { link: '/etc/real.key', uid: 5 },
        '/etc/real.key': KEY,
      },
    ],
    'a key whose second of three links lies where everyone can write': [
      /: \/var lets others replace what it holds: mode 777$/,
      {
        '/etc/keys/db.key': { link: '/var/db.key' },
        '/var': { mode: 0o777 },
        '/var/db.key': { link: '/etc/real.key' },
        '/etc/real.key': KEY,
      },
    ],
  };

for (const [what, [message, nodes, owner]] of Object.entries(refused)) {
  test(`${what} is insecure, and the hint says what to do`, () => {
    assert.throws(
      () => check(nodes, owner),
      (error) =>
        error instanceof EspError &&
        error.code === 'KEY_INSECURE' &&
        message.test(error.message) &&
        error.hint !== undefined,
    );
  });
}

test('a path that leads nowhere, round in circles or to a directory is no key', () => {
  const nowhere: readonly Readonly<Record<string, Node>>[] = [
    { '/etc/keys/db.key': { link: 'missing' } },
    { '/etc/keys/db.key': { link: 'db.key' } },
    { '/etc/keys/db.key': {} },
  ];
  for (const nodes of nowhere) assert.throws(() => check(nodes), { code: 'KEY_INVALID' });
});
