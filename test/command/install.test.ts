import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { aMachine, type Machine } from './a-machine.ts';

const FORMATS = ['uki', 'type1'] as const;

/** Makes a generation one that cannot be read. */
function breakGeneration(machine: Machine, number: number): void {
  fs.writeFileSync(join(machine.toplevel(number), 'boot.json'), '{', { flag: 'r+' });
  fs.truncateSync(join(machine.toplevel(number), 'boot.json'), 1);
}

for (const format of FORMATS) {
  describe(`install --format ${format}`, () => {
    test('an empty ESP gets every generation, a loader twice, and a default', async (t) => {
      const machine = aMachine(t, {
        generations: [{}, { specialisations: { gaming: {} } }],
      });
      const { status, output } = await machine.run('install', '--format', format);
      assert.equal(status, 0, output);
      assert.deepEqual(machine.installed(), [1, 2]);
      assert.equal(machine.paths(/-specialisation-gaming-/).length, 1);
      assert.equal(machine.next(), 2);
      assert.equal(machine.read('loader/entries.srel'), 'type1\n');
      const tree = machine.tree();
      assert.ok(tree['EFI/BOOT/BOOTX64.EFI']);
      assert.equal(tree['EFI/BOOT/BOOTX64.EFI'], tree['EFI/systemd/systemd-bootx64.efi']);
      assert.match(output, /written .*boots next: nixos-generation-2-/);
    });

    test('a second run has nothing to do, says so, and leaves no trace', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      await machine.run('install', '--format', format);
      const before = machine.tree(machine.root);
      const { status, output } = await machine.run('install', '--format', format);
      assert.equal(status, 0);
      assert.match(output, /nothing to do; boots next: nixos-generation-2-/);
      assert.deepEqual(machine.tree(machine.root), before);
    });

    test('two ESPs of one machine get equal trees', async (t) => {
      const machine = aMachine(t, { generations: [{}, { specialisations: { a: {} } }] });
      const other = join(machine.root, 'other');
      fs.mkdirSync(other);
      await machine.run('install', '--format', format);
      await machine.runWith(
        {},
        ...['install', ...machine.arguments(), '--allow-unsigned', '-q'],
        ...['--esp', other],
      );
      assert.deepEqual(machine.tree(other), machine.tree());
    });

    test('a generation that was deleted goes, and what it shared stays', async (t) => {
      const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
      await machine.run('install', '--format', format);
      fs.unlinkSync(machine.link(1));
      const { status, output } = await machine.run('install', '--format', format);
      assert.equal(status, 0);
      assert.deepEqual(machine.installed(), [2]);
      assert.match(output, /0 written .*, [12] removed/);
      if (format === 'type1') {
        assert.equal(machine.paths(/nixos\/kernel-/).length, 1);
        assert.equal(machine.paths(/nixos\/initrd-/).length, 1);
      }
    });

    test('a generation number that is used again gets a new entry', async (t) => {
      const machine = aMachine(t, { generations: [{ tag: 'first' }] });
      await machine.run('install', '--format', format);
      const [before] = machine.paths(/nixos-generation-1-/);
      machine.generations([{ tag: 'second' }]);
      await machine.run('install', '--format', format);
      const after = machine.paths(/nixos-generation-1-/);
      assert.equal(after.length, 1);
      assert.notEqual(after[0], before);
    });

    test('an older system given by its path boots next, and no longer when it is not given', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}] });
      const older = await machine.run('install', '--format', format, machine.toplevel(1));
      assert.equal(older.status, 0, older.error?.message);
      assert.equal(machine.next(), 1);
      assert.deepEqual(machine.installed(), [1, 2, 3]);
      await machine.run('install', '--format', format);
      assert.equal(machine.next(), 3);
    });

    test('a broken generation is told with its cause, keeps its files, and stops no other', async (t) => {
      const machine = aMachine(t, { generations: [{ initrd: 'one' }, {}] });
      await machine.run('install', '--format', format);
      const before = machine.paths(/generation-1-|initrd-/);
      machine.generations([{ initrd: 'one' }, {}, {}]);
      breakGeneration(machine, 1);
      const { status, output } = await machine.run('install', '--format', format, '--json');
      assert.equal(status, 5);
      const { warnings } = JSON.parse(output);
      assert.match(warnings[0], /generation 1 is broken and left as it is: .*boot\.json/);
      assert.deepEqual(machine.installed(), [1, 2, 3]);
      for (const path of before) assert.ok(machine.tree()[path], path);
    });

    test('a kernel that is no program is a broken generation, not one that cannot start', async (t) => {
      const machine = aMachine(t, { generations: [{ kernel: 'text' }, {}] });
      const { status, output } = await machine.run('install', '--format', format, '--json');
      assert.equal(status, 5);
      assert.match(JSON.parse(output).warnings[0], /generation 1 is broken .*bzImage/);
      assert.deepEqual(machine.installed(), [2]);
    });

    test('the target being broken fails, and nothing is touched', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      await machine.run('install', '--format', format);
      machine.generations([{}, {}, {}]);
      breakGeneration(machine, 3);
      const before = machine.tree();
      const { status, error } = await machine.run('install', '--format', format);
      assert.equal(status, 1);
      assert.equal(error?.code, 'TARGET_BROKEN');
      assert.match(error.message, /system-3-link: the system that is to boot next is broken/);
      assert.deepEqual(machine.tree(), before);
    });

    test('a target whose kernel is no program fails, and nothing is touched', async (t) => {
      const machine = aMachine(t, { generations: [{}, { kernel: 'text' }] });
      const { status, error } = await machine.run('install', '--format', format);
      assert.equal(status, 1);
      assert.equal(error?.code, 'TARGET_BROKEN');
      assert.deepEqual(machine.tree(), {});
    });

    test('a current system that is gone from the store is a broken target', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      await machine.run('install', '--format', format);
      fs.rmSync(machine.toplevel(2), { recursive: true });
      const before = machine.tree();
      const { status, error } = await machine.run('install', '--format', format);
      assert.equal(status, 1);
      assert.equal(error?.code, 'TARGET_BROKEN');
      assert.deepEqual(machine.tree(), before);
    });

    test('no generation that boots is a refusal, and nothing is touched', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      await machine.run('install', '--format', format);
      for (const number of [1, 2]) breakGeneration(machine, number);
      const before = machine.tree();
      const { status, error } = await machine.run('install', '--format', format);
      assert.equal(status, 3);
      assert.equal(error?.code, 'NO_BOOTABLE_GENERATION');
      assert.match(error.message, /2 generations are broken/);
      assert.match(error.hint ?? '', /nothing was touched/);
      assert.deepEqual(machine.tree(), before);
    });

    test('--limit keeps the newest, and what is left out is listed with the reason', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}, {}] });
      const { status, output } = await machine.run('install', '--format', format, '--limit', '2');
      assert.equal(status, 0);
      assert.deepEqual(machine.installed(), [3, 4]);
      assert.match(output, /left out: generation 2, the limit is 2/);
      assert.match(output, /left out: generation 1, the limit is 2/);
    });

    test('--limit 0 keeps all', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}] });
      await machine.run('install', '--format', format, '--limit', '0');
      assert.deepEqual(machine.installed(), [1, 2, 3]);
    });

    test('the limit costs neither what runs, nor what was selected, nor what is current', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}, {}, {}] });
      await machine.run('install', '--format', format);
      machine.boots(1);
      const selected =
        machine
          .paths(/generation-2-/)[0]
          ?.split('/')
          .at(-1) ?? '';
      machine.loaderVariable('LoaderEntrySelected', selected);
      const args = ['--format', format, '--limit', '1', machine.toplevel(3)];
      assert.equal((await machine.run('install', ...args)).status, 0);
      assert.deepEqual(machine.installed(), [1, 2, 3, 5]);
      assert.equal(machine.next(), 3);
    });

    test('the remains of a killed run are swept, and names that nearly are theirs stay', async (t) => {
      const machine = aMachine(t);
      await machine.run('install', '--format', format);
      const before = machine.tree();
      const near = [
        '.espalier-1-1.tmp~',
        'espalier-1-1.tmp',
        '.espalier-1.tmp',
        '.espalier-a-1.tmp',
      ];
      for (const name of near) machine.put(`EFI/Linux/${name}`, 'of someone');
      const temporaries = [
        'EFI/Linux',
        'EFI/nixos',
        'EFI/BOOT',
        'EFI/systemd',
        'loader/entries',
        'loader',
      ];
      for (const path of temporaries) machine.put(`${path}/.espalier-4711-12.tmp`, 'half');
      const { status, output } = await machine.run('install', '--format', format);
      assert.equal(status, 0);
      assert.match(output, /0 written \(0 B\), 6 removed/);
      assert.deepEqual(
        Object.keys(machine.tree()).sort(),
        [...near.map((name) => `EFI/Linux/${name}`), ...Object.keys(before)].sort(),
      );
    });
  });
}

describe('damage', () => {
  const damages: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ['cut short', (bytes) => bytes.subarray(0, bytes.length - 600)],
    ['empty', () => Buffer.alloc(0)],
    ['without its header', (bytes) => Buffer.from(bytes).fill(0, 0, 64)],
  ];
  const files: readonly (readonly ['uki' | 'type1', RegExp])[] = [
    ['uki', /Linux\/nixos-generation-1-/],
    ['type1', /nixos\/kernel-/],
    ['type1', /entries\/nixos-generation-1-/],
    ['uki', /EFI\/BOOT\/BOOTX64/],
    ['uki', /EFI\/systemd\/systemd-boot/],
  ];
  for (const [format, pattern] of files) {
    for (const [what, damage] of damages) {
      test(`a plain install rewrites ${pattern.source} when it is ${what}`, async (t) => {
        const machine = aMachine(t);
        await machine.run('install', '--format', format);
        const before = machine.tree();
        const [path = ''] = machine.paths(pattern);
        const full = join(machine.esp, path);
        fs.writeFileSync(full, damage(fs.readFileSync(full)));
        const { status, output } = await machine.run('install', '--format', format);
        assert.equal(status, 0);
        assert.match(output, /^.*: 1 written/);
        assert.deepEqual(machine.tree(), before);
      });
    }
  }

  test('a plain install rewrites an initrd of the wrong size', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'an initrd' }] });
    await machine.run('install', '--format', 'type1');
    const before = machine.tree();
    fs.appendFileSync(join(machine.esp, machine.paths(/initrd-/)[0] ?? ''), 'more');
    const { output } = await machine.run('install', '--format', 'type1');
    assert.match(output, /1 written/);
    assert.deepEqual(machine.tree(), before);
  });
});

describe('secrets', () => {
  const secrets = 'cat "$SECRET_FILE" >> "$1" 2>/dev/null || echo secret >> "$1"';

  test('an initrd with secrets is installed with them, and none of its copies is left', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'plain', secrets }] });
    const { status, error } = await machine.run('install', '--format', 'type1');
    assert.equal(status, 0, error?.message);
    assert.equal(machine.read(machine.paths(/initrd-/)[0] ?? ''), 'plainsecret\n');
    assert.deepEqual(
      fs.readdirSync(machine.root).filter((name) => name.startsWith('espalier-secrets')),
      [],
    );
  });

  test('secrets that are gone break an older generation, and fail the target', async (t) => {
    const machine = aMachine(t, { generations: [{ secrets: 'exit 3' }, {}] });
    assert.equal((await machine.run('install')).status, 5);
    assert.deepEqual(machine.installed(), [2]);
    machine.generations([{}, {}, { secrets: 'exit 3' }]);
    const { status, error } = await machine.run('install');
    assert.equal(status, 1);
    assert.equal(error?.code, 'TARGET_BROKEN');
  });
});

describe('plan', () => {
  test('it prints each step with its reason, and does nothing', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const { status, output } = await machine.run('plan');
    assert.equal(status, 0);
    assert.match(output, /publish\n +\+ EFI\/Linux\/nixos-generation-2-.* because it is not there/);
    assert.match(output, /~ EFI\/BOOT\/BOOTX64\.EFI .* because there is none/);
    assert.match(output, /space: .* free, .* more at the peak, .* free afterwards/);
    assert.deepEqual(machine.tree(), {});
  });

  test('its document holds the plan that install then carries out', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const space = { type: 0x4d44, clusterSize: 4096, free: 1 << 28, total: 1 << 29 };
    const disk = { fileSystem: () => space };
    const document = async (verb: string) => {
      const args = [verb, ...machine.arguments(), '--allow-unsigned', '--quiet', '--json'];
      return JSON.parse((await machine.runWith({ disk }, ...args)).output);
    };
    const [planned, done] = [await document('plan'), await document('install')];
    assert.deepEqual([planned.version, planned.verb], [1, 'plan']);
    assert.deepEqual([done.version, done.verb], [1, 'install']);
    assert.deepEqual(planned.esps[0].plan, done.esps[0].plan);
    const steps = planned.esps[0].plan.phases.flatMap(({ steps }: { steps: unknown[] }) => steps);
    assert.deepEqual(
      done.esps[0].changes.map(({ path }: { path: string }) => path),
      steps.map(({ path }: { path: string }) => path),
    );
    assert.deepEqual(Object.keys(planned.esps[0].plan.phases[0]), ['name', 'steps']);
  });
});

test('where the kernel does not tell its release, the directory of its modules does', async (t) => {
  const machine = aMachine(t, { generations: [{ version: '6.12.3-arm64' }] });
  await machine.run('install');
  const [image = ''] = machine.paths(/^EFI\/Linux\//);
  const { output } = await machine.runWith({}, 'uki', 'inspect', join(machine.esp, image));
  assert.match(output, /^\.uname:\n(?: .*\n)* {4}6\.12\.3-arm64$/m);
});

test('a run that is stopped on its way says that what boots is whole, unless the kernel found damage', async (t) => {
  const fails = (code: 'ESP_FULL' | 'ESP_READ_ONLY') => ({
    disk: {
      rename: () => {
        throw new EspError(code, 'as the kernel says');
      },
    },
  });
  for (const [code, promise] of [
    ['ESP_FULL', true],
    ['ESP_READ_ONLY', false],
  ] as const) {
    const machine = aMachine(t);
    const args = [...machine.arguments(), '--allow-unsigned', '--quiet'];
    const { status, error } = await machine.runWith(fails(code), 'install', ...args);
    assert.deepEqual([status, error?.code], [1, 'UNFINISHED']);
    assert.equal(error?.message.includes('what boots is whole'), promise, error?.message);
  }
});
