import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseList, parseSources } from './debian.ts';

test('a one-line source names its mirror, with or without options', () => {
  const text = `# a comment
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib # why
deb [trusted=yes] file:/srv/debian bookworm main
deb cdrom:[Debian]/ bookworm main
`;
  assert.deepEqual(parseList(text), [
    { uri: 'http://one.example/debian', trusted: false },
    { uri: 'file:/srv/debian', trusted: true },
  ]);
});

test('a deb822 source names its mirrors, also behind a mirror list or a comment', () => {
  const text = `Types: deb deb-src
# http://snapshot.example/archive/debian/20250520T000000Z
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://snapshot.example/archive/debian/20250520T000000Z
 http://second.example/debian
Suites: stable
Components: contrib
 main
`;
  assert.deepEqual(
    parseSources(text).map(({ uri }) => uri),
    [
      'mirror+file:///etc/apt/mirrors/debian.list',
      'http://snapshot.example/archive/debian/20250520T000000Z',
      'http://second.example/debian',
    ],
  );
});

test('sources that carry other suites name no mirror', () => {
  assert.deepEqual(parseList('deb http://deb.example/node_20.x nodistro main'), []);
});
