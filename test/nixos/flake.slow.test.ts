/** The flake, and what the documentation has a person write: it is evaluated as it stands there. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { attempt, run } from '../lab/run.ts';
import {
  espalierIs,
  makeWorkplace,
  removeWorkplace,
  skipWithoutNix,
  systemOf,
  type Workplace,
} from './an-evaluation.ts';

const root = resolve(import.meta.dirname, '../..');

/** What nixos-generate-config says of the boot loader. */
const GENERATED = `{ ... }: {
  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;
}
`;

/** Returns the blocks of code of a section of docs/tasks.md. */
function blocksOf(section: string): readonly string[] {
  const page = readFileSync(join(root, 'docs/tasks.md'), 'utf8');
  const text = page.split(/^## /m).find((each) => each.startsWith(section)) ?? '';
  return [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
}

const skip =
  skipWithoutNix || (attempt('git', ['--version']).status !== 0 && 'SKIPPED, needs Debian’s git');

suite('NixOS, as documented', { skip }, () => {
  let workplace: Workplace;
  /** As much of a checkout as an evaluation reads, tracked by git. */
  let checkout: string;
  before(() => {
    workplace = makeWorkplace();
    checkout = join(workplace.folder, 'espalier');
    for (const name of ['package.json', 'package-lock.json', 'systemd'])
      cpSync(join(root, name), join(checkout, name), { recursive: true });
    const git = (...args: string[]) => run('git', ['-C', checkout, ...args]);
    git('init', '--quiet');
    git('add', '--all');
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--message', 'all');
    mkdirSync(join(workplace.folder, 'etc'));
    writeFileSync(join(workplace.folder, 'etc/configuration.nix'), GENERATED);
  });
  after(() => removeWorkplace(workplace));

  const [commands = '', configuration = ''] = blocksOf('Use the NixOS module');
  const here = (text: string, espalier: string) =>
    text
      .replaceAll('/path/to/espalier', espalier)
      .replaceAll('/etc/nixos', join(workplace.folder, 'etc'))
      .replaceAll('sudo ', '');

  /** Asks Nix about a flake, with what stands in for nixpkgs. */
  const asked = (...args: readonly string[]) =>
    JSON.parse(
      run(
        'nix',
        [
          ...['--extra-experimental-features', 'nix-command flakes'],
          ...args,
          ...['--json', '--no-write-lock-file'],
          ...['--override-input', 'nixpkgs', `path:${import.meta.dirname}`],
        ],
        { env: workplace.environment },
      ),
    );

  test('two commands take a machine from nixpkgs’ boot loader to ours', async () => {
    // All but the last line writes a configuration; that one builds it.
    const lines = here(commands, root).trimEnd().split('\n');
    const [last = ''] = lines.splice(-1);
    run('sh', ['-c', lines.join('\n')]);
    const [, file = ''] = /^nixos-rebuild boot -I nixos-config=(\S+)$/.exec(last) ?? [];
    const system = systemOf(espalierIs('', `imports = [ ${file} ];`), workplace);
    assert.deepEqual([system.complaints, system.warnings], [[], []]);
    assert.match(system.hook, /espalier-hook$/);
    assert.deepEqual(system.systemd.services['espalier-watch']?.wantedBy, ['multi-user.target']);
    const settings = await readSettings({ config: system.configFile }, {}, nodeDisk());
    assert.deepEqual(
      [settings['allow-unsigned'], settings.adopt, settings['efi-entry'], settings.esp],
      [true, true, true, ['/boot']],
    );
  });

  test('a flake takes the module as an input', () => {
    const folder = join(workplace.folder, 'machine');
    mkdirSync(folder);
    writeFileSync(join(folder, 'flake.nix'), here(configuration, checkout));
    writeFileSync(join(folder, 'configuration.nix'), GENERATED.replace(/^.*systemd-boot.*\n/m, ''));
    const machine = `path:${folder}#nixosConfigurations.machine.config`;
    const complaints = asked(
      'eval',
      `${machine}.assertions`,
      '--apply',
      'builtins.filter (each: !each.assertion)',
    );
    assert.deepEqual(complaints, []);
    assert.deepEqual(asked('eval', `${machine}.boot.espalier.extraSettings`), {
      'efi-entry': true,
      reserve: '64M',
    });
    const head = run('git', ['-C', checkout, 'rev-parse', 'HEAD']).trim();
    assert.equal(asked('eval', `${machine}.boot.espalier.package.BUILD_COMMIT`), head);
  });

  test('the flake has a module, an overlay, and the package for both architectures', () => {
    const flake = `git+file://${checkout}?dir=systemd/nixos`;
    const shown = asked('flake', 'show', flake) as Record<string, Record<string, unknown>>;
    assert.deepEqual(Object.keys(shown).sort(), ['nixosModules', 'overlays', 'packages']);
    assert.deepEqual(Object.keys(shown['packages'] ?? {}).sort(), [
      'aarch64-linux',
      'x86_64-linux',
    ]);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    assert.equal(asked('eval', `${flake}#packages.aarch64-linux.default.version`), version);
  });
});
