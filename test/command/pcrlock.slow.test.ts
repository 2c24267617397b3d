/** Records for systemd-pcrlock: of everything that boots from the ESP one, and of nothing else. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { formatPcrlock, lockPe } from '../../src/measure/pcrlock.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import {
  aKernel,
  aMachine,
  aStub,
  aSystemdBoot,
  type MachineShape,
  type Ran,
} from './a-machine.ts';

const LOADER = '630-bootloader.pcrlock.d';
const ENTRIES = '635-lanzaboote.pcrlock.d';

/** What systemd-pcrlock writes for a program. */
function record(bytes: Uint8Array): string {
  return `${formatPcrlock(lockPe(bytesSource(bytes), createHash))}\n`;
}

/** A machine whose records are kept. */
function aRecordedMachine(t: TestContext, shape: MachineShape = {}) {
  const machine = aMachine(t, shape);
  const directory = join(machine.root, 'pcrlock.d');
  const path = (name: string) => join(directory, name);
  const variants = (component: string) =>
    fs
      .readdirSync(path(component))
      .filter((name) => name.endsWith('.pcrlock'))
      .sort();
  return {
    machine,
    path,
    variants,
    text: (name: string) => fs.readFileSync(path(name), 'utf8'),
    /** What a file on the ESP, found by a pattern, measures as. */
    expected: (pattern: RegExp) => {
      const [found = ''] = machine.paths(pattern);
      return record(fs.readFileSync(join(machine.esp, found)));
    },
    install: (...args: readonly string[]) =>
      machine.run('install', '--json', '--pcrlock-directory', directory, ...args),
    signed: () =>
      machine.runWith({}, ...signedArguments(machine), '--json', '--pcrlock-directory', directory),
  };
}

/** The arguments of a signed run without records. */
function signedArguments(machine: { arguments(): string[] }): string[] {
  return [
    ...['install', ...machine.arguments(), '--quiet', '--allow-insecure-key'],
    ...['--certificate', certificatePath, '--private-key', privateKeyPath],
  ];
}

function warningsOf({ output }: Ran): string[] {
  return JSON.parse(output).warnings;
}

/** A disk on which changes to files below a directory fail when they are to. */
function failingAt(fails: () => boolean, directory: string) {
  const real = nodeDisk();
  let failed = false;
  const check = (path: string) => {
    if (failed || !path.startsWith(directory) || !fails()) return;
    failed = true;
    throw new EspError('IO', `${path}: no`);
  };
  const disk: Partial<WritableDisk> = {
    replaceText: async (path, text, readers) => {
      check(path);
      await real.replaceText(path, text, readers);
    },
    remove: (path) => {
      check(path);
      real.remove(path);
    },
  };
  return { disk, failed: () => failed };
}

/** Changes a byte of the first section behind the headers. */
function tamper(path: string): void {
  const bytes = fs.readFileSync(path);
  bytes[0x600] = (bytes[0x600] ?? 0) ^ 1;
  fs.writeFileSync(path, bytes);
}

describe('install --pcrlock-directory', () => {
  test('the loader and every image get the record that systemd-pcrlock would write, under lanzaboote’s names', async (t) => {
    const { install, machine, variants, text, expected } = aRecordedMachine(t, {
      generations: [{}, { specialisations: { gaming: {} } }],
    });
    const ran = await install();
    assert.equal(ran.status, 0, ran.output);
    assert.deepEqual(variants(LOADER), ['current.pcrlock']);
    assert.deepEqual(variants(ENTRIES), ['1.pcrlock', '2-gaming.pcrlock', '2.pcrlock']);
    assert.equal(text(`${LOADER}/current.pcrlock`), expected(/systemd-bootx64\.efi$/));
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
    assert.equal(text(`${ENTRIES}/2.pcrlock`), expected(/generation-2-[a-z2-7]{52}/));
    assert.equal(text(`${ENTRIES}/2-gaming.pcrlock`), expected(/specialisation-gaming/));
    assert.deepEqual(machine.installed(), [1, 2]);
  });

  test('a type1 entry has the record of its kernel', async (t) => {
    const { install, text, expected } = aRecordedMachine(t);
    assert.equal((await install('--format', 'type1')).status, 0);
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/nixos\/kernel-/));
  });

  test('a thin image has a record of itself, not of its kernel', async (t) => {
    const { install, machine, text, expected } = aRecordedMachine(t);
    const stub = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    const ran = await install('--format', 'thin', '--stub', stub);
    assert.equal(ran.status, 0, ran.error?.message);
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/EFI\/Linux\/nixos-generation-1-/));
  });

  test('a signature changes no record', async (t) => {
    const { install, signed, text } = aRecordedMachine(t);
    await install();
    const before = [text(`${LOADER}/current.pcrlock`), text(`${ENTRIES}/1.pcrlock`)];
    const ran = await signed();
    assert.equal(ran.status, 0, ran.error?.message ?? ran.output);
    assert.deepEqual([text(`${LOADER}/current.pcrlock`), text(`${ENTRIES}/1.pcrlock`)], before);
  });

  test('a second run has nothing to do and leaves no trace', async (t) => {
    const { install, machine, path } = aRecordedMachine(t);
    await install();
    const [before, inode] = [
      machine.tree(machine.root),
      fs.statSync(path(`${ENTRIES}/1.pcrlock`)).ino,
    ];
    const ran = await install();
    assert.equal(ran.status, 0);
    assert.deepEqual(machine.tree(machine.root), before);
    assert.equal(fs.statSync(path(`${ENTRIES}/1.pcrlock`)).ino, inode);
  });

  test('entries that were there before the option was get records, too', async (t) => {
    const { install, machine, variants } = aRecordedMachine(t, { generations: [{}, {}] });
    await machine.run('install');
    assert.equal((await install()).status, 0);
    assert.deepEqual(variants(ENTRIES), ['1.pcrlock', '2.pcrlock']);
  });

  test('the record of an entry that is gone goes, and files of others stay', async (t) => {
    const { install, machine, path, variants } = aRecordedMachine(t, { generations: [{}, {}] });
    await install();
    fs.writeFileSync(path(`${ENTRIES}/mine.pcrlock`), '{"records":[]}');
    fs.writeFileSync(path(`${ENTRIES}/9.pcrlock`), '{"records":[]}');
    fs.unlinkSync(machine.link(1));
    assert.equal((await install()).status, 0);
    assert.deepEqual(variants(ENTRIES), ['2.pcrlock', 'mine.pcrlock']);
    assert.deepEqual(
      fs.readdirSync(path(ENTRIES)).filter((name) => name.includes('generation-1-')),
      [],
    );
  });

  test('a generation number that is used again gets the record of its new image', async (t) => {
    const { install, machine, text, expected } = aRecordedMachine(t, {
      generations: [{ tag: 'a' }],
    });
    await install();
    const before = text(`${ENTRIES}/1.pcrlock`);
    machine.generations([{ tag: 'b' }]);
    await machine.run('install');
    await install();
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
    assert.notEqual(text(`${ENTRIES}/1.pcrlock`), before);
  });

  test('a record that was damaged or taken over is made again', async (t) => {
    const { install, path, text, expected } = aRecordedMachine(t);
    await install();
    for (const name of fs.readdirSync(path(ENTRIES))) {
      fs.truncateSync(path(`${ENTRIES}/${name}`), 100);
    }
    fs.writeFileSync(path(`${LOADER}/current.pcrlock`), '{"records":[]}');
    assert.equal((await install()).status, 0);
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
    assert.equal(text(`${LOADER}/current.pcrlock`), expected(/systemd-bootx64\.efi$/));
  });

  test('a record is no link: who writes to its name, or removes what is beside it, leaves it whole', async (t) => {
    const { install, path, text, expected } = aRecordedMachine(t);
    await install();
    const name = path(`${ENTRIES}/1.pcrlock`);
    const [id = ''] = fs.readdirSync(path(ENTRIES)).filter((each) => !each.endsWith('.pcrlock'));
    fs.unlinkSync(path(`${ENTRIES}/${id}`));
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
    fs.unlinkSync(name);
    fs.symlinkSync(id, name);
    assert.equal((await install()).status, 0);
    assert.ok(fs.lstatSync(name).isFile());
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
  });

  test('an image that is rewritten under its name gets a new record, with a new stub as well', async (t) => {
    const { install, machine, text, expected } = aRecordedMachine(t);
    await install();
    const [image = ''] = machine.paths(/generation-1-/);
    fs.truncateSync(join(machine.esp, image), 600);
    const stub = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    fs.writeFileSync(stub, aKernel('another stub'));
    assert.equal((await install()).status, 0);
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
  });

  test('more programs than fit in one policy are told', async (t) => {
    const shapes = Array.from({ length: 9 }, (_, index) => ({ tag: `number-${index}` }));
    const { install, machine } = aRecordedMachine(t, { generations: shapes.slice(0, 8) });
    assert.equal((await install()).status, 0);
    machine.generations(shapes);
    for (const _ of ['first', 'second']) {
      const ran = await install();
      assert.equal(ran.status, 5);
      assert.match(warningsOf(ran).join(), /^9 different programs .* --limit$/);
    }
  });

  test('what nobody vouches for gets no record: with it, whoever changed it would be let in', async (t) => {
    const { install, machine, variants } = aRecordedMachine(t, { generations: [{}, {}] });
    await machine.run('install');
    const [image = ''] = machine.paths(/generation-1-/);
    tamper(join(machine.esp, image));
    const ran = await install();
    assert.equal(ran.status, 5);
    assert.match(warningsOf(ran).join(), /generation-1-.* gets no record .*vouches/);
    assert.deepEqual(variants(ENTRIES), ['2.pcrlock']);
  });

  test('an image with an older stub has a record if our signature is on it, and has none under another’s name', async (t) => {
    const { signed, machine, variants, text, expected } = aRecordedMachine(t, {
      generations: [{ tag: 'x' }, { tag: 'b' }],
    });
    await machine.runWith({}, ...signedArguments(machine));
    const [other = ''] = machine.paths(/generation-1-/);
    const saved = fs.readFileSync(join(machine.esp, other));
    machine.generations([{ tag: 'a' }, { tag: 'b' }]);
    await machine.runWith({}, ...signedArguments(machine));
    const stub = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    fs.writeFileSync(stub, aKernel('a newer stub'));
    const [first = ''] = machine.paths(/generation-1-[a-z2-7]{52}/);
    fs.writeFileSync(join(machine.esp, first), saved);
    const ran = await signed();
    assert.match(warningsOf(ran).join(), /generation-1-[a-z2-7]{52}.* gets no record/);
    assert.deepEqual(variants(ENTRIES), ['2.pcrlock']);
    assert.equal(text(`${ENTRIES}/2.pcrlock`), expected(/generation-2-/));
  });

  test('an image under the number of another generation is damaged: it is written anew and recorded', async (t) => {
    const { signed, machine, variants, text, expected } = aRecordedMachine(t, {
      generations: [{ tag: 'a' }, { tag: 'b' }],
    });
    await machine.runWith({}, ...signedArguments(machine));
    const [first = '', second = ''] = machine.paths(/generation-\d-/);
    fs.copyFileSync(join(machine.esp, second), join(machine.esp, first));
    const verified = await machine.runWith(
      {},
      'verify',
      ...machine.arguments(),
      '--allow-unsigned',
    );
    assert.match(verified.output, /it is of generation 2, and its name says 1/);
    assert.equal((await signed()).status, 0);
    assert.deepEqual(variants(ENTRIES), ['1.pcrlock', '2.pcrlock']);
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(/generation-1-/));
  });

  for (const renamed of [true, false]) {
    const how = renamed ? 'under the number of a broken generation' : 'as it was';
    test(`a signed image of a deleted generation that is put back ${how} gets no record`, async (t) => {
      const { signed, machine, path, variants } = aRecordedMachine(t, {
        generations: [{ tag: 'a' }, { tag: 'b' }, { tag: 'c' }],
      });
      await signed();
      const [old = '', broken = ''] = machine.paths(/generation-[12]-/);
      const saved = fs.readFileSync(join(machine.esp, old));
      fs.unlinkSync(machine.link(1));
      fs.rmSync(join(machine.toplevel(2), 'boot.json'));
      fs.rmSync(join(machine.toplevel(2), 'init'));
      await signed();
      const kept = variants(ENTRIES);
      assert.deepEqual(kept, ['2.pcrlock', '3.pcrlock']);
      assert.ok(fs.existsSync(join(machine.esp, broken)));
      const back = renamed ? old.replace('generation-1-', 'generation-2-') : old;
      fs.writeFileSync(join(machine.esp, back), saved);
      await signed();
      assert.deepEqual(variants(ENTRIES), kept);
      const records = fs
        .readdirSync(path(ENTRIES))
        .map((name) => fs.readFileSync(path(`${ENTRIES}/${name}`), 'utf8'));
      assert.ok(!records.includes(record(saved)));
    });
  }

  test('while a new loader is on its way, both are expected; afterwards the new one', async (t) => {
    const { install, machine, path, text, variants } = aRecordedMachine(t);
    await install();
    machine.brings('258');
    const during: string[][] = [];
    const rename = nodeDisk().rename;
    const ran = await machine.runWith(
      {
        disk: {
          rename: (from, to) => {
            if (/BOOTX64|systemd-bootx64/i.test(to)) during.push(variants(LOADER));
            rename(from, to);
          },
        },
      },
      ...['install', ...machine.arguments(), '--allow-unsigned', '--json', '--quiet'],
      ...['--pcrlock-directory', path('')],
    );
    assert.equal(ran.status, 0);
    assert.deepEqual(during, [
      ['current.pcrlock', 'next.pcrlock'],
      ['current.pcrlock', 'next.pcrlock'],
    ]);
    assert.deepEqual(variants(LOADER), ['current.pcrlock']);
    assert.equal(text(`${LOADER}/current.pcrlock`), record(aSystemdBoot('258')));
  });

  test('when the run fails on the way, both stay expected until the next', async (t) => {
    const { install, machine, path, variants } = aRecordedMachine(t);
    await install();
    machine.brings('258');
    const fail = (_from: string, to: string) => {
      throw new EspError('IO', `rename ${to}: no`);
    };
    const ran = await machine.runWith(
      { disk: { rename: fail } },
      ...['install', ...machine.arguments(), '--allow-unsigned', '--quiet'],
      ...['--pcrlock-directory', path('')],
    );
    assert.equal(ran.status, 1);
    assert.deepEqual(variants(LOADER), ['current.pcrlock', 'next.pcrlock']);
    assert.equal((await install()).status, 0);
    assert.deepEqual(variants(LOADER), ['current.pcrlock']);
  });

  test('a loader that nobody vouches for changes nothing of what is expected', async (t) => {
    const { install, machine, text } = aRecordedMachine(t);
    await install();
    const before = text(`${LOADER}/current.pcrlock`);
    machine.put('EFI/systemd/systemd-bootx64.efi', aSystemdBoot('999'));
    const ran = await install();
    assert.equal(ran.status, 5);
    assert.match(warningsOf(ran).join(), /systemd-bootx64\.efi gets no record .*vouches/);
    assert.equal(text(`${LOADER}/current.pcrlock`), before);
  });

  test('records that cannot be written are a warning: what boots is in line', async (t) => {
    const { install, machine, path } = aRecordedMachine(t);
    fs.writeFileSync(path(''), 'in the way');
    const ran = await install();
    assert.equal(ran.status, 5);
    assert.match(warningsOf(ran).join(), /records for systemd-pcrlock in .* are not in line: /);
    assert.deepEqual(machine.installed(), [1]);
  });

  test('whichever change to the records fails, the next run heals them', async (t) => {
    for (let failing = 0; ; failing++) {
      const { install, machine, path, variants, text, expected } = aRecordedMachine(t, {
        generations: [{ tag: 'a' }, { tag: 'b' }],
      });
      await install();
      machine.brings('258');
      machine.generations([{ tag: 'a' }, { tag: 'b' }, { tag: 'c' }]);
      fs.unlinkSync(machine.link(1));
      let changes = 0;
      const { disk, failed } = failingAt(() => changes++ === failing, path(''));
      const ran = await machine.runWith(
        { disk },
        ...['install', ...machine.arguments(), '--allow-unsigned', '--quiet', '--json'],
        ...['--pcrlock-directory', path('')],
      );
      assert.equal(ran.status, failed() ? 5 : 0);
      assert.deepEqual(machine.installed(), [2, 3]);
      assert.equal((await install()).status, 0);
      assert.deepEqual(variants(LOADER), ['current.pcrlock']);
      assert.deepEqual(variants(ENTRIES), ['2.pcrlock', '3.pcrlock']);
      assert.equal(text(`${LOADER}/current.pcrlock`), record(aSystemdBoot('258')));
      assert.equal(text(`${ENTRIES}/3.pcrlock`), expected(/generation-3-/));
      if (!failed()) return assert.ok(failing > 5, `${failing} changes`);
    }
  });

  test('plan touches no record, and neither does a run without the option', async (t) => {
    const { machine, path } = aRecordedMachine(t);
    await machine.run('plan', '--pcrlock-directory', path(''));
    await machine.run('install');
    assert.equal(fs.existsSync(path('')), false);
  });

  test('a mirror makes no difference', async (t) => {
    const { install, machine, variants } = aRecordedMachine(t);
    const mirror = join(machine.root, 'mirror');
    fs.mkdirSync(mirror);
    assert.equal((await install('--esp', mirror)).status, 0);
    assert.equal((await install('--esp', mirror)).status, 0);
    assert.deepEqual(variants(ENTRIES), ['1.pcrlock']);
  });
});

describe('pcrlock', () => {
  test('lock-pe prints the record of a program, or writes it to a file', async (t) => {
    const machine = aMachine(t);
    const [program, target] = [join(machine.root, 'a.efi'), join(machine.root, 'a.pcrlock')];
    fs.writeFileSync(program, aKernel());
    const printed = await machine.runWith({}, 'pcrlock', 'lock-pe', program);
    assert.equal(`${printed.output}\n`, record(aKernel()));
    const written = await machine.runWith({}, 'pcrlock', 'lock-pe', program, '--pcrlock', target);
    assert.deepEqual([written.status, written.output], [0, '']);
    assert.equal(fs.readFileSync(target, 'utf8'), record(aKernel()));
  });

  test('what is no program is refused with its name', async (t) => {
    const machine = aMachine(t);
    const text = join(machine.root, 'text');
    fs.writeFileSync(text, 'text');
    const { status, error } = await machine.runWith({}, 'pcrlock', 'lock-uki', text);
    assert.equal(status, 1);
    assert.equal(error?.code, 'PE_MALFORMED');
    assert.match(error.message, /\/text/);
  });
});

describe('entries that share an image', () => {
  test('have the record of that image, and get another when they move to another', async (t) => {
    const { machine, path, text, expected, install } = aRecordedMachine(t, {
      generations: [{ tag: 'a' }, { tag: 'b' }],
    });
    const stub = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    fs.writeFileSync(stub, aStub('257'));
    const image = /^EFI\/nixos\/uki-/;
    assert.deepEqual(warningsOf(await install('--format', 'shared')), []);
    const first = expected(image);
    assert.equal(text(`${ENTRIES}/1.pcrlock`), first);
    assert.equal(text(`${ENTRIES}/2.pcrlock`), first);
    machine.generations([{ number: 3, tag: 'c' }]);
    assert.deepEqual(warningsOf(await install('--format', 'shared')), []);
    assert.notEqual(expected(image), first);
    for (const number of [1, 2, 3]) {
      assert.equal(text(`${ENTRIES}/${number}.pcrlock`), expected(image));
    }
    const [found = ''] = machine.paths(image);
    fs.truncateSync(join(machine.esp, found), 3000);
    await install('--format', 'shared');
    assert.equal(text(`${ENTRIES}/1.pcrlock`), expected(image));
    assert.ok(fs.existsSync(path(ENTRIES)));
  });
});
