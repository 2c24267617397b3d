/**
 * `node tools/nixos-settings.ts` writes systemd/nixos/known-settings.nix: what the NixOS module has to
 * know of the table of settings.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Setting } from '../src/settings/setting.ts';
import { ROWS } from '../src/settings/verb-options.ts';

/** Where the list is. */
export const NIXOS_SETTINGS = resolve(import.meta.dirname, '../systemd/nixos/known-settings.nix');

/** Returns the list as Nix. */
export function nixosSettings(): string {
  return `# Written by \`node tools/nixos-settings.ts\` from the table of settings: change that one.
{
  # Every setting of espalier.toml.
${list('names', () => true)}
  # Settings whose values are paths that a confined service reads, or writes.
${list('read', ({ reach }) => reach === 'read')}
${list('write', ({ reach }) => reach === 'write')}
}
`;
}

function list(name: string, isIn: (row: Setting) => boolean): string {
  const names = ROWS.flatMap(([setting, row]) => (isIn(row) ? [`    "${setting}"\n`] : []));
  return `  ${name} = [\n${names.join('')}  ];`;
}

if (import.meta.main) writeFileSync(NIXOS_SETTINGS, nixosSettings());
