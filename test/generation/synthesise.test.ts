import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { isMalformed, readGeneration } from '../../src/generation/generation.ts';
import { synthesise } from '../../src/generation/synthesise.ts';
import { aProfiles, aRoot, aToplevel, type ToplevelShape } from './a-generation.ts';

const disk = nodeDisk();

function legacy(root: string, shape: ToplevelShape = {}): string {
  return aToplevel(root, { ...shape, bootJson: 'absent' });
}

function rewrite(path: string, content: string): void {
  fs.rmSync(path, { force: true });
  fs.writeFileSync(path, content);
}

test('a system without boot.json is described as its boot.json would, but for the label', (t) => {
  const root = aRoot(t);
  const shape = {
    kernelParams: ['root=LABEL=nixos', 'quiet'],
    secrets: 'true',
    specialisations: { gaming: { kernelParams: ['mitigations=off'] } },
  };
  const toplevel = legacy(root, shape);
  const bootspec = synthesise(disk, toplevel);
  const gaming = bootspec.specialisations.get('gaming');
  assert.deepEqual(
    { ...bootspec, specialisations: [...bootspec.specialisations.keys()] },
    {
      system: 'x86_64-linux',
      init: join(toplevel, 'init'),
      kernel: fs.realpathSync(join(toplevel, 'kernel')),
      kernelParams: ['root=LABEL=nixos', 'quiet'],
      label: 'NixOS 26.05.20261118.9f3c1de (Linux 6.12.58)',
      toplevel,
      initrd: fs.realpathSync(join(toplevel, 'initrd')),
      initrdSecrets: fs.realpathSync(join(toplevel, 'append-initrd-secrets')),
      sortKey: undefined,
      devicetree: undefined,
      extensions: {},
      specialisations: ['gaming'],
    },
  );
  assert.deepEqual(gaming?.kernelParams, ['mitigations=off']);
  assert.equal(gaming?.init, `${fs.realpathSync(join(toplevel, 'specialisation/gaming'))}/init`);
});

test('a generation without boot.json is read, and says so', (t) => {
  const profiles = aProfiles(aRoot(t), [{ bootJson: 'absent' }]);
  const path = join(profiles, 'system-1-link');
  const generation = readGeneration(disk, { number: 1, path });
  assert.ok(!isMalformed(generation));
  assert.equal(generation.synthesised, true);
  assert.equal(generation.toplevel, generation.bootspec.toplevel);
});

test('blanks and line ends around text are no part of it', (t) => {
  const toplevel = legacy(aRoot(t));
  rewrite(join(toplevel, 'system'), ' x86_64-linux\n');
  rewrite(join(toplevel, 'nixos-version'), '26.05\n');
  rewrite(join(toplevel, 'kernel-params'), '  a  b="c  d" \t e\n');
  const { system, label, kernelParams } = synthesise(disk, toplevel);
  assert.equal(system, 'x86_64-linux');
  assert.equal(label, 'NixOS 26.05 (Linux 6.12.58)');
  assert.deepEqual(kernelParams, ['a', 'b="c  d"', 'e']);
});

test('of several module directories the one of the kernel gives the version', (t) => {
  const toplevel = legacy(aRoot(t), { version: '6.12.9' });
  for (const other of ['6.12.58', '5.4.0', '6.12.9-old']) {
    fs.mkdirSync(join(toplevel, 'kernel-modules/lib/modules', other));
  }
  assert.match(synthesise(disk, toplevel).label, /\(Linux 6\.12\.9\)$/);
});

test("of several module directories that are not the kernel's the highest gives the version", (t) => {
  const toplevel = legacy(aRoot(t), { version: '6.12' });
  const modules = join(toplevel, 'kernel-modules/lib/modules');
  for (const other of ['6.9.1', '6.12.10', '6.12.9']) fs.mkdirSync(join(modules, other));
  fs.rmSync(join(modules, '6.12'), { recursive: true });
  fs.writeFileSync(join(modules, '9.9.9'), 'a file is no version');
  assert.match(synthesise(disk, toplevel).label, /\(Linux 6\.12\.10\)$/);
});

test('a system boots without what only its label needs', (t) => {
  const toplevel = legacy(aRoot(t));
  fs.rmSync(join(toplevel, 'nixos-version'));
  fs.rmSync(join(toplevel, 'kernel-modules'), { recursive: true });
  assert.equal(synthesise(disk, toplevel).label, 'NixOS');
});

for (const name of ['kernel', 'system', 'kernel-params']) {
  test(`a system without ${name} is broken, and the error names it`, (t) => {
    const toplevel = legacy(aRoot(t));
    fs.rmSync(join(toplevel, name));
    assert.throws(() => synthesise(disk, toplevel), {
      code: 'GENERATION_BROKEN',
      message: `${toplevel}/${name}: expected a file or directory, got nothing`,
    });
  });
}

for (const name of ['initrd', 'append-initrd-secrets']) {
  test(`a system whose ${name} leads nowhere is broken, not a system without one`, (t) => {
    const toplevel = legacy(aRoot(t), { secrets: 'true' });
    fs.rmSync(fs.realpathSync(join(toplevel, name)));
    assert.throws(() => synthesise(disk, toplevel), {
      code: 'GENERATION_BROKEN',
      message: `${toplevel}/${name}: expected a file or directory, got nothing`,
    });
  });
}

test('a specialisation that leads nowhere is named', (t) => {
  const toplevel = legacy(aRoot(t), { specialisations: { gaming: {} } });
  const link = join(toplevel, 'specialisation/gaming');
  fs.rmSync(link);
  fs.symlinkSync('/nonexistent', link);
  assert.throws(() => synthesise(disk, toplevel), {
    code: 'GENERATION_BROKEN',
    message: `${link}: expected a file or directory, got nothing`,
  });
});

test('what is put together obeys the rules of a document', (t) => {
  const toplevel = legacy(aRoot(t));
  rewrite(join(toplevel, 'kernel-params'), 'quiet "x\u0000y"');
  assert.throws(() => synthesise(disk, toplevel), {
    code: 'BOOTSPEC_MALFORMED',
    message:
      /\(without boot\.json\): .*kernelParams\[1\]: expected text without control characters/,
  });
});
