/** Extra files and extra entries: ours for as long as they are what we wrote, and nobody else's ever. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aKernel, aMachine, type Machine } from './a-machine.ts';

const MEMTEST = 'EFI/memtest/memtest.efi';
const ENTRY = 'loader/entries/memtest.conf';
const TEXT = `title Memtest\nefi /${MEMTEST}\n`;
const PROGRAM = new TextDecoder('latin1').decode(new Uint8Array(3000).fill(0x41));

/** What a configuration declares: text of entries by name, content of files by path. */
interface Declaration {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly entries?: Readonly<Record<string, string>>;
  readonly signed?: boolean;
}

const BOTH: Declaration = { files: { [MEMTEST]: PROGRAM }, entries: { 'memtest.conf': TEXT } };

/** Writes the configuration and its sources, and returns the arguments that name it. */
function declares(machine: Machine, { files = {}, entries = {}, signed }: Declaration): string[] {
  const lines = Object.entries(files).map(([path, content]) => {
    const source = join(machine.root, 'sources', path);
    mkdirSync(join(source, '..'), { recursive: true });
    writeFileSync(source, content);
    return signed
      ? `${JSON.stringify(path)} = { source = ${JSON.stringify(source)}, sign = true }`
      : `${JSON.stringify(path)} = ${JSON.stringify(source)}`;
  });
  const texts = Object.entries(entries).map(
    ([name, text]) => `${JSON.stringify(name)} = ${JSON.stringify(text)}`,
  );
  const config = join(machine.root, 'espalier.toml');
  writeFileSync(config, ['[extra-files]', ...lines, '[extra-entries]', ...texts, ''].join('\n'));
  return ['--config', config];
}

/** A machine that has installed what is declared. */
async function anExtraMachine(t: TestContext, declaration = BOTH) {
  const machine = aMachine(t);
  const config = declares(machine, declaration);
  assert.equal((await machine.run('install', ...config)).status, 0);
  return { machine, config };
}

const LISTS = /^EFI\/nixos\/extra-files-/;

describe('what is declared', () => {
  test('is installed, and a second run has nothing to do', async (t) => {
    const { machine, config } = await anExtraMachine(t);
    assert.equal(machine.read(MEMTEST), PROGRAM);
    assert.equal(machine.read(ENTRY), TEXT);
    assert.equal(machine.paths(LISTS).length, 1);
    assert.match((await machine.run('install', ...config)).output, /nothing to do/);
    assert.equal(machine.next(), 1);
    const { output } = await machine.run('list', '--long', ...config);
    assert.match(output, /^Memtest .*memtest\.conf/m);
    assert.doesNotMatch(output, /^Memtest .* next/m);
    assert.equal((await machine.run('verify', '--deep', ...config)).status, 0);
  });

  test('is written after the list that says it is ours, and after what boots next', async (t) => {
    const machine = aMachine(t);
    const { output } = await machine.run('plan', '--json', ...declares(machine, BOTH));
    const { phases } = JSON.parse(output).esps[0].plan;
    const names = phases.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, [
      'put',
      'publish',
      'loader',
      'loader',
      'default',
      'extra-files',
      'extra-entries',
    ]);
    const put = phases[0].steps.map(({ path }: { path: string }) => path);
    assert.ok(put.some((path: string) => LISTS.test(path)));
  });

  test('may lie anywhere, at the root too, and an entry may come from a file', async (t) => {
    const { machine } = await anExtraMachine(t, {
      files: {
        '.VolumeIcon.icns': 'icon',
        'a/b/c d': 'deep',
        'loader/entries/x.conf': 'title X\n',
      },
    });
    assert.deepEqual(
      ['.VolumeIcon.icns', 'a/b/c d', 'loader/entries/x.conf'].map((path) => machine.read(path)),
      ['icon', 'deep', 'title X\n'],
    );
  });

  test('and is a program may be signed, with the key of everything else', async (t) => {
    const machine = aMachine(t);
    const config = declares(machine, { files: { [MEMTEST]: aKernel('memtest') }, signed: true });
    const keys = [
      '--certificate',
      certificatePath,
      '--private-key',
      privateKeyPath,
      '--allow-insecure-key',
    ];
    const run = (verb: string) =>
      machine.runWith({}, verb, ...machine.arguments(), '--quiet', ...keys, ...config);
    assert.equal((await run('install')).status, 0);
    assert.notEqual(machine.read(MEMTEST), Buffer.from(aKernel('memtest')).toString('utf8'));
    assert.match((await run('install')).output, /nothing to do/);
    const before = machine.tree()[MEMTEST];
    writeFileSync(join(machine.esp, MEMTEST), '');
    assert.equal((await run('repair')).status, 0);
    assert.equal(machine.tree()[MEMTEST], before);
  });

  test('and is no program cannot be signed: nothing is touched', async (t) => {
    const machine = aMachine(t);
    const config = declares(machine, { files: { x: 'no program' }, signed: true });
    const keys = [
      '--certificate',
      certificatePath,
      '--private-key',
      privateKeyPath,
      '--allow-insecure-key',
    ];
    const ran = await machine.runWith(
      {},
      'install',
      ...machine.arguments(),
      '--quiet',
      ...keys,
      ...config,
    );
    assert.deepEqual([ran.status, ran.error?.code], [2, 'CONFIG_INVALID']);
    assert.match(ran.error?.message ?? '', /^extra-files\.x: /);
    assert.deepEqual(machine.tree(), {});
  });
});

describe('what changes', () => {
  test('is replaced, and its list with it', async (t) => {
    const { machine } = await anExtraMachine(t);
    const [list] = machine.paths(LISTS);
    const entries = { 'memtest.conf': TEXT.replace('Memtest', 'Mem+est') };
    const config = declares(machine, { files: { [MEMTEST]: 'newer' }, entries });
    assert.equal((await machine.run('install', ...config)).status, 0);
    assert.equal(machine.read(MEMTEST), 'newer');
    assert.match(machine.read(ENTRY), /Mem\+est/);
    assert.equal(machine.paths(LISTS).length, 1);
    assert.notEqual(machine.paths(LISTS)[0], list);
    assert.match((await machine.run('install', ...config)).output, /nothing to do/);
  });

  test('and is not declared any more is removed, with the list when it was the last', async (t) => {
    const { machine } = await anExtraMachine(t);
    const config = declares(machine, { files: { other: 'x' } });
    const { output } = await machine.run('plan', ...config);
    assert.match(output, /not declared any more/);
    assert.equal((await machine.run('install', ...config)).status, 0);
    assert.deepEqual(machine.paths(/memtest/), []);
    assert.equal(machine.paths(LISTS).length, 1);
    assert.equal((await machine.run('install')).status, 0);
    assert.deepEqual([machine.paths(/^other$/), machine.paths(LISTS)], [[], []]);
  });

  test('is not collected before the new list is there, and then it is', async (t) => {
    const { machine } = await anExtraMachine(t);
    const before = machine.tree();
    const config = declares(machine, { files: { [MEMTEST]: PROGRAM } });
    assert.equal((await machine.run('gc', ...config)).status, 0);
    assert.deepEqual(machine.tree(), before);
    assert.equal((await machine.run('gc')).status, 0);
    assert.deepEqual([machine.paths(/memtest/), machine.paths(LISTS)], [[], []]);
  });
});

describe('what is damaged', () => {
  const damages: Readonly<Record<string, (path: string) => void>> = {
    gone: (path) => rmSync(path),
    'cut to nothing': (path) => truncateSync(path, 0),
    'cut to whole sectors': (path) => truncateSync(path, 2048),
  };
  for (const [name, damage] of Object.entries(damages)) {
    test(`${name} is told by verify and healed by a plain run`, async (t) => {
      const { machine, config } = await anExtraMachine(t);
      damage(join(machine.esp, MEMTEST));
      const { status, output } = await machine.run('verify', ...config);
      assert.equal(status, 5);
      assert.match(output, /memtest\.efi: /);
      assert.equal((await machine.run('install', ...config)).status, 0);
      assert.equal(machine.read(MEMTEST), PROGRAM);
    });
  }

  test('in a byte of its content is found by who reads every byte', async (t) => {
    const { machine, config } = await anExtraMachine(t);
    machine.put(MEMTEST, `X${PROGRAM.slice(1)}`);
    assert.equal((await machine.run('verify', ...config)).status, 0);
    assert.equal((await machine.run('verify', '--deep', ...config)).status, 5);
    assert.equal((await machine.run('repair', ...config)).status, 0);
    assert.equal(machine.read(MEMTEST), PROGRAM);
  });

  test('in the list is known from its name, and mended', async (t) => {
    const { machine, config } = await anExtraMachine(t);
    const before = machine.tree();
    const [list = ''] = machine.paths(LISTS);
    machine.put(list, '');
    machine.put(MEMTEST, '');
    assert.equal((await machine.run('verify', ...config)).status, 5);
    assert.equal((await machine.run('install', ...config)).status, 0);
    assert.deepEqual(machine.tree(), before);
  });
});

describe('where there is an XBOOTLDR partition', () => {
  const DRIVER = 'EFI/systemd/drivers/fs.efi';
  const files = { [MEMTEST]: PROGRAM, [DRIVER]: 'driver' };

  test('extra files are on it, but for those that the loader looks for on the ESP', async (t) => {
    const machine = aMachine(t);
    const xbootldr = join(machine.root, 'xbootldr');
    mkdirSync(xbootldr);
    const config = declares(machine, { ...BOTH, files });
    const install = () => machine.run('install', '--xbootldr', xbootldr, ...config);
    assert.equal((await install()).status, 0);
    assert.deepEqual(machine.paths(/memtest|drivers|extra/), [DRIVER]);
    const there = Object.keys(machine.tree(xbootldr));
    assert.ok([MEMTEST, ENTRY].every((path) => there.includes(path)));
    assert.match((await install()).output, /nothing to do/);
  });

  test('those that were on the ESP move there', async (t) => {
    const { machine, config } = await anExtraMachine(t, { ...BOTH, files });
    machine.put('EFI/memtest/mine', 'mine');
    const xbootldr = join(machine.root, 'xbootldr');
    mkdirSync(xbootldr);
    const install = () => machine.run('install', '--xbootldr', xbootldr, ...config);
    assert.equal((await install()).status, 0);
    assert.deepEqual(
      machine.paths(/memtest|drivers|extra/),
      [DRIVER, 'EFI/memtest/mine'].toSorted(),
    );
    assert.ok([MEMTEST, ENTRY].every((path) => path in machine.tree(xbootldr)));
    assert.match((await install()).output, /nothing to do/);
  });
});

describe('what is not ours', () => {
  test('under a declared name is left alone and told, and the rest is installed', async (t) => {
    const machine = aMachine(t);
    machine.put(MEMTEST, 'of somebody else');
    const config = declares(machine, BOTH);
    for (let runs = 0; runs < 2; runs++) {
      const ran = await machine.run('install', '--json', ...config);
      assert.equal(ran.status, 5);
      assert.match(
        ran.output,
        /EFI\/memtest\/memtest\.efi is left alone: it is there and is not ours/,
      );
      assert.equal(machine.read(MEMTEST), 'of somebody else');
      assert.equal(machine.read(ENTRY), TEXT);
    }
    assert.equal((await machine.run('install')).status, 0);
    assert.equal(machine.read(MEMTEST), 'of somebody else');
    assert.deepEqual(machine.paths(/memtest\.conf/), []);
  });

  test('for being the same already is not removed later', async (t) => {
    const machine = aMachine(t);
    machine.put(MEMTEST, PROGRAM);
    assert.equal((await machine.run('install', ...declares(machine, BOTH))).status, 0);
    assert.equal((await machine.run('install')).status, 0);
    assert.equal(machine.read(MEMTEST), PROGRAM);
  });

  test('since somebody changed it is neither replaced nor removed', async (t) => {
    const { machine, config } = await anExtraMachine(t);
    machine.put(ENTRY, `${TEXT}options quick\n`);
    assert.equal((await machine.run('install', ...config)).status, 5);
    assert.match(machine.read(ENTRY), /quick/);
    assert.equal((await machine.run('install')).status, 0);
    assert.match(machine.read(ENTRY), /quick/);
    // What it names stays with it.
    assert.equal(machine.read(MEMTEST), PROGRAM);
  });

  test('is whatever a link or a directory in the way leads to', async (t) => {
    const machine = aMachine(t);
    const outside = join(machine.root, 'outside');
    mkdirSync(join(machine.esp, 'EFI/dir'), { recursive: true });
    mkdirSync(outside);
    symlinkSync(outside, join(machine.esp, 'EFI/memtest'));
    const config = declares(machine, { files: { [MEMTEST]: PROGRAM, 'EFI/dir': 'x' } });
    const ran = await machine.run('install', '--json', ...config);
    assert.equal(ran.status, 5);
    assert.equal(ran.output.match(/cannot be written: something else is there/g)?.length, 2);
    assert.deepEqual(machine.tree(outside), {});
  });

  test('is what an entry of another still needs: it stays until that is gone', async (t) => {
    const { machine } = await anExtraMachine(t);
    machine.put('loader/entries/mine.conf', `title Mine\nefi /${MEMTEST}\n`);
    assert.equal((await machine.run('install')).status, 0);
    assert.equal(machine.read(MEMTEST), PROGRAM);
    assert.match((await machine.run('install')).output, /nothing to do/);
    rmSync(join(machine.esp, 'loader/entries/mine.conf'));
    assert.equal((await machine.run('install')).status, 0);
    assert.deepEqual([machine.paths(/memtest/), machine.paths(LISTS)], [[], []]);
  });
});

describe('names that cannot be', () => {
  const files = [
    '/abs',
    '../up',
    'a/../b',
    'a//b',
    '',
    'a\\b',
    'a:b',
    'a.',
    'tab\t',
    'ä',
    'x'.repeat(300),
    'EFI/nixos/mine.efi',
    'efi/NIXOS',
    'loader/loader.conf',
    'loader',
    'LOADER/entries.srel',
    'loader/keys/auto/db.auth',
    'EFI/systemd/systemd-bootx64.efi',
    'EFI/BOOT/BOOTX64.EFI',
    'EFI/Linux/nixos-generation-1.efi',
    'loader/entries/nixos-generation-1.conf',
    'EFI/x/.espalier-1-1.tmp',
    'EFI/Linux/x+3.efi',
  ];
  for (const name of files) {
    test(`${JSON.stringify(name.slice(0, 40))} is refused by its key`, async (t) => {
      const machine = aMachine(t);
      const config = join(machine.root, 'espalier.toml');
      writeFileSync(config, `[extra-files]\n${JSON.stringify(name)} = "/etc/hostname"\n`);
      const ran = await machine.run('install', '--config', config);
      assert.deepEqual([ran.status, ran.error?.code], [2, 'CONFIG_INVALID']);
      assert.match(ran.error?.message ?? '', /extra-files\..*: expected /);
      assert.deepEqual(machine.tree(), {});
    });
  }
  for (const name of [
    'memtest',
    'a/b.conf',
    '.hidden.conf',
    'auto-x.conf',
    'x+3.conf',
    'nixos-generation-1.conf',
  ]) {
    test(`the entry ${name} is refused by its key`, async (t) => {
      const machine = aMachine(t);
      const ran = await machine.run('install', ...declares(machine, { entries: { [name]: TEXT } }));
      assert.deepEqual([ran.status, ran.error?.code], [2, 'CONFIG_INVALID']);
      assert.match(ran.error?.message ?? '', /extra-entries\./);
    });
  }

  test('two that FAT takes for one, or one below the other, are refused', async (t) => {
    for (const [one, other] of [
      ['EFI/x', 'efi/X'],
      ['EFI/x', 'EFI/x/y'],
    ] as const) {
      const machine = aMachine(t);
      const config = join(machine.root, 'espalier.toml');
      writeFileSync(
        config,
        `[extra-files]\n"${one}" = "/etc/hostname"\n"${other}" = "/etc/hostname"\n`,
      );
      const ran = await machine.run('install', '--config', config);
      assert.match(ran.error?.message ?? '', /expected a path of its own/);
    }
  });

  test('a source that is not there is told by its key', async (t) => {
    const machine = aMachine(t);
    const config = join(machine.root, 'espalier.toml');
    writeFileSync(config, '[extra-files]\n"EFI/x" = { source = "/none" }\n');
    const ran = await machine.run('install', '--config', config);
    assert.match(ran.error?.message ?? '', /extra-files\.EFI\/x: \/none is no file/);
  });
});
