import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { espPath } from '../../src/esp/layout.ts';
import { formatType1, parseType1, referencedPath, type Type1Entry } from '../../src/esp/type1.ts';

const entry: Type1Entry = {
  title: 'NixOS',
  version: 'Generation 1, 2026-11-20',
  sortKey: 'nixos',
  linux: espPath('EFI', 'nixos', 'kernel.efi'),
  initrd: [espPath('EFI', 'nixos', 'initrd.efi')],
  options: 'init=/nix/store/x/init quiet',
};

test('an entry has one line for each key, and absolute paths', () => {
  const text = formatType1({ ...entry, devicetree: espPath('EFI', 'nixos', 'board.dtb') });
  assert.equal(
    text,
    [
      'title NixOS',
      'version Generation 1, 2026-11-20',
      'sort-key nixos',
      'linux /EFI/nixos/kernel.efi',
      'initrd /EFI/nixos/initrd.efi',
      'devicetree /EFI/nixos/board.dtb',
      'options init=/nix/store/x/init quiet',
      '',
    ].join('\n'),
  );
});

test('what is written is read again', () => {
  const read = parseType1(formatType1(entry));
  assert.deepEqual(read, {
    files: [entry.linux, ...entry.initrd],
    options: entry.options,
    title: entry.title,
    version: entry.version,
    sortKey: entry.sortKey,
  });
});

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\n', '\r', '\0', '\t', '"', "'", ' ', '#', 'linux /evil', '\\', 'x'))
    .map((parts) => parts.join('')),
);

test('no text of people adds a key or a file, whatever is in it', () => {
  fc.assert(
    fc.property(anyText, anyText, anyText, (title, version, sortKey) => {
      const text = formatType1({ ...entry, title, version, sortKey });
      const read = parseType1(text);
      assert.deepEqual(read.files, [entry.linux, ...entry.initrd]);
      assert.equal(read.options, entry.options);
      assert.equal(text.split('\n').length, 7);
      assert.doesNotMatch(text, /[\0\r\t\u007f]/);
    }),
  );
});

test('a label in quotes is shown as it is meant, and one without text is shown at all', () => {
  for (const [title, shown] of [
    ['"quoted"', 'quoted'],
    ["'quoted'", 'quoted'],
    ['say "hi"', 'say "hi"'],
    ['', '-'],
    ['\n', '-'],
    ['""', '-'],
    ['# no comment', '# no comment'],
    ['a\nlinux /evil', 'a linux /evil'],
  ] as const) {
    assert.equal(parseType1(formatType1({ ...entry, title })).title, shown, JSON.stringify(title));
  }
});

test('every key that names a file is a reference, however the path is written', () => {
  const text = [
    'linux /vmlinuz',
    'initrd\t\\EFI\\Nixos\\initrd.efi',
    'initrd //double//slash',
    'efi /EFI/x.efi',
    'uki /EFI/Linux/y.efi',
    'devicetree /b.dtb',
    'extra /EFI/extra.cred',
    '# linux /comment',
    'options linux=/none',
  ].join('\r\n');
  assert.deepEqual(parseType1(text).files, [
    'vmlinuz',
    'EFI/Nixos/initrd.efi',
    'double/slash',
    'EFI/x.efi',
    'EFI/Linux/y.efi',
    'b.dtb',
    'EFI/extra.cred',
  ]);
});

test('any bytes are read without a complaint', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
      for (const path of parseType1(text).files) assert.ok(!path.startsWith('/'));
    }),
  );
});

test('options of several lines are one command line', () => {
  assert.equal(parseType1('options a b\noptions c\n').options, 'a b c');
});

test('a path has neither empty parts nor a leading slash', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      assert.doesNotMatch(referencedPath(value), /^\/|\/\/|\\|\/$/);
    }),
  );
});

test('a path with .. means the file that firmware finds, and never one outside the ESP', () => {
  assert.equal(referencedPath('/EFI/nixos/../Linux/./a.efi'), 'EFI/Linux/a.efi');
  assert.equal(referencedPath('\\..\\..\\EFI\\a.efi'), 'EFI/a.efi');
});
