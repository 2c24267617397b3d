import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ErrorCode, EspError } from '../../src/error.ts';
import { type Bootspec, parseBootspec } from '../../src/generation/bootspec.ts';

const folder = join(import.meta.dirname, '../../fixtures/bootspec');

/** What each document is there to show, as the code and a part of the message it is refused with. */
const refused: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  'another-document.json': ['BOOTSPEC_MALFORMED', ': $["org.nixos.bootspec.v1"]: missing'],
  'array.json': ['BOOTSPEC_MALFORMED', ': $: expected object, got array'],
  'blank-in-init.json': [
    'BOOTSPEC_MALFORMED',
    '.init: expected a path without blanks and quotes, got "/nix/store/init single"',
  ],
  'broken-specialisation.json': [
    'BOOTSPEC_MALFORMED',
    ': $["org.nixos.specialisation.v1"].gaming["org.nixos.bootspec.v1"].kernel: expected string, got number',
  ],
  'empty.json': ['BOOTSPEC_MALFORMED', 'expected JSON, got "Unexpected end'],
  'extension-of-wrong-kind.json': [
    'BOOTSPEC_MALFORMED',
    ': $["org.nix-community.lanzaboote"].sort_key: expected string, got array',
  ],
  'missing-kernel.json': ['BOOTSPEC_MALFORMED', '.kernel: missing'],
  'newline-in-initrd.json': [
    'BOOTSPEC_MALFORMED',
    '.initrd: expected text without control characters, got "/nix/store/initrd\\noptions init=/bin/sh"',
  ],
  'newline-in-params.json': [
    'BOOTSPEC_MALFORMED',
    '.kernelParams[0]: expected text without control characters, got "quiet\\nlinux /evil"',
  ],
  'nul-in-kernel.json': [
    'BOOTSPEC_MALFORMED',
    '.kernel: expected text without control characters, got "/nix/store/linux\\u0000/bzImage"',
  ],
  'null-kernel.json': ['BOOTSPEC_MALFORMED', '.kernel: expected string, got null'],
  'number-among-params.json': [
    'BOOTSPEC_MALFORMED',
    ': $["org.nixos.bootspec.v1"].kernelParams[3]: expected string, got number',
  ],
  'old-specialisation.json': [
    'BOOTSPEC_MALFORMED',
    ': $["org.nixos.specialisation.v1"].gaming["org.nixos.bootspec.v1"]: missing',
  ],
  'params-as-text.json': ['BOOTSPEC_MALFORMED', '.kernelParams: expected array, got string'],
  'preview.json': ['BOOTSPEC_UNSUPPORTED', ': $: expected "org.nixos.bootspec.v1", got only "v1"'],
  'relative-kernel.json': [
    'BOOTSPEC_MALFORMED',
    '.kernel: expected an absolute path, got "../../etc/shadow"',
  ],
  'secrets-without-initrd.json': [
    'BOOTSPEC_MALFORMED',
    '.initrdSecrets: expected an initrd beside it, got none',
  ],
  'truncated.json': ['BOOTSPEC_MALFORMED', 'expected JSON, got "Unterminated string'],
  'v2-only.json': [
    'BOOTSPEC_UNSUPPORTED',
    ': $: expected "org.nixos.bootspec.v1", got only "org.nixos.bootspec.v2"',
  ],
};

/** What each document is there to show, as what is read from it. */
const accepted: Readonly<Record<string, (bootspec: Bootspec) => void>> = {
  'v1-plain.json': (bootspec) => {
    const { extensions, specialisations, ...rest } = bootspec;
    const toplevel =
      '/nix/store/0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a-nixos-system-laptop-26.05.20261118.9f3c1de';
    assert.deepEqual(rest, {
      system: 'x86_64-linux',
      init: `${toplevel}/init`,
      kernel: '/nix/store/2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c-linux-6.12.58/bzImage',
      kernelParams: ['loglevel=4', 'lsm=landlock,yama,bpf'],
      label: 'NixOS Yarara 26.05.20261118.9f3c1de (Linux 6.12.58)',
      toplevel,
      initrd: '/nix/store/1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b-initrd-linux-6.12.58/initrd',
      initrdSecrets: undefined,
      sortKey: undefined,
      devicetree: undefined,
    });
    assert.deepEqual(extensions, {});
    assert.equal(specialisations.size, 0);
  },
  'v1-nulls.json': ({
    initrd,
    initrdSecrets,
    sortKey,
    devicetree,
    extensions,
    specialisations,
  }) => {
    assert.deepEqual([initrd, initrdSecrets, sortKey, devicetree], new Array(4).fill(undefined));
    assert.deepEqual(Object.keys(extensions), ['org.nixos.systemd-boot']);
    assert.equal(specialisations.size, 0);
  },
  'v1-without-specialisations.json': ({ specialisations }) => assert.equal(specialisations.size, 0),
  'v1-secrets.json': ({ initrdSecrets }) =>
    assert.match(initrdSecrets ?? '', /\/bin\/append-initrd-secrets$/),
  'v1-extensions.json': ({ sortKey, devicetree, extensions }) => {
    assert.equal(sortKey, 'lanza');
    assert.match(devicetree ?? '', /rk3588-rock-5b\.dtb$/);
    assert.deepEqual(Object.keys(extensions).sort(), [
      'org.nix-community.lanzaboote',
      'org.nixos.extra-initrd.v1',
      'org.nixos.systemd-boot',
      'org.xenproject.bootspec.v2',
    ]);
    assert.deepEqual(extensions['org.nixos.extra-initrd.v1'], { paths: ['EFI/nixos/extra.cpio'] });
  },
  'v1-specialisations.json': ({ specialisations, sortKey }) => {
    assert.deepEqual([...specialisations.keys()], ['gaming', 'realtime']);
    const gaming = specialisations.get('gaming');
    const realtime = specialisations.get('realtime');
    assert.deepEqual(
      [sortKey, gaming?.sortKey, realtime?.sortKey],
      ['lanza', 'games', 'zz-realtime'],
    );
    assert.equal(gaming?.specialisations.size, 0);
    assert.deepEqual(gaming?.kernelParams, ['loglevel=4', 'mitigations=off']);
    assert.match(realtime?.kernel ?? '', /linux-rt-6\.12\.58-rt14/);
  },
  'v1-unknown-keys.json': (bootspec) => {
    assert.ok(!('bootloader' in bootspec));
    assert.deepEqual(bootspec.extensions, { 'com.example.note': ['any', { json: 1 }], plain: 0 });
  },
  'v1-odd-text.json': ({ label, kernelParams }) => {
    assert.equal(label, 'Größe "zwölf" \\ 日本\u0007\n(Linux 6.12.58)');
    assert.equal(kernelParams.length, 5);
  },
};

test('every document in fixtures/bootspec makes one claim', () => {
  const claims = [...Object.keys(refused), ...Object.keys(accepted)];
  assert.deepEqual(claims.sort(), readdirSync(folder).sort());
});

for (const [name, [code, part]] of Object.entries(refused)) {
  test(`${name} is refused with the file and the place in it`, () => {
    assert.throws(
      () => parseBootspec(readFileSync(join(folder, name), 'utf8'), name),
      (error) => {
        assert.ok(error instanceof EspError);
        assert.equal(error.code, code);
        assert.ok(error.message.startsWith(`${name}: `), error.message);
        assert.ok(error.message.includes(part), error.message);
        return true;
      },
    );
  });
}

for (const [name, check] of Object.entries(accepted)) {
  test(`${name} is read as it says`, () => {
    check(parseBootspec(readFileSync(join(folder, name), 'utf8'), name));
  });
}
