/** What the NixOS module says of settings: names of the table, and no others. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { ROWS } from '../../src/settings/verb-options.ts';
import { NIXOS_SETTINGS, nixosSettings } from '../../tools/nixos-settings.ts';

const nixFile = (name: string) =>
  readFileSync(resolve(import.meta.dirname, '../../systemd/nixos', name), 'utf8');

test('known-settings.nix is what the table of settings says', () => {
  const text = nixosSettings();
  if (process.env['UPDATE_GOLDEN']) writeFileSync(NIXOS_SETTINGS, text);
  assert.equal(readFileSync(NIXOS_SETTINGS, 'utf8'), text, 'node tools/nixos-settings.ts');
});

test('every setting that the module writes to espalier.toml is one of the table', () => {
  const module = nixFile('module.nix');
  const [written = ''] = /^ {2}signing = \{[\s\S]*?\) cfg\.extraSettings;/m.exec(module) ?? [];
  const named = [...written.matchAll(/(?:^ {4,8}|\{ )([a-z][a-z-]*) = /gm)].map(
    ([, key = '']) => key,
  );
  assert.ok(
    ['certificate', 'allow-unsigned', 'esp', 'xbootldr'].every((key) => named.includes(key)),
  );
  const known: readonly string[] = ROWS.map(([name]) => name);
  // The keys of one extra file are those of its own table.
  for (const key of named) assert.ok(known.includes(key) || ['source', 'sign'].includes(key), key);
});
