/** Entries that share an image: what joins, what stays, what is mended, and what moves between formats. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe, readSection } from '../../src/pe/pe.ts';
import { predictPcr11 } from '../measure/predict.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aKernel, aMachine, aStub, type Machine } from './a-machine.ts';

const IMAGE = /^EFI\/nixos\/uki-/;
const ENTRY = /^loader\/entries\/nixos-generation-/;

/** Puts a stub of systemd's in place of the one that says nothing of itself. */
function bringStub(machine: Machine, version: string, headers?: number): void {
  const path = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
  fs.writeFileSync(path, aStub(version, headers));
}

/** A machine with generations of one kernel and initrd, and a stub that knows profiles. */
function sharing(t: TestContext, count = 3): Machine {
  const machine = aMachine(t, {
    generations: Array.from({ length: count }, (_, at) => ({ tag: `${at}` })),
  });
  bringStub(machine, '257.9');
  return machine;
}

const install = (machine: Machine, ...args: readonly string[]) =>
  machine.run('install', '--format', 'shared', ...args);

/** What each entry leads to: image and number of the profile, by the number of the generation. */
function leads(machine: Machine): Record<string, string> {
  return Object.fromEntries(
    machine.paths(ENTRY).map((path) => {
      const [, image, profile] =
        /^linux \/(\S+)\noptions @(\d{3})\n/.exec(machine.read(path)) ?? [];
      const number = /generation-([^-]+(-specialisation-\w+)?)/.exec(path)?.[1] ?? '';
      return [number, `${image} ${profile}`];
    }),
  );
}

const bytesOf = (machine: Machine, path: string) => fs.readFileSync(join(machine.esp, path));

/** The text of the sections of one name in an image. */
function texts(machine: Machine, image: string, name: string): string[] {
  const source = bytesSource(bytesOf(machine, image));
  return parsePe(source)
    .sections.filter((section) => section.name === name)
    .map((section) => new TextDecoder().decode(readSection(source, section, 4096)));
}

describe('generations of one kernel and initrd', () => {
  test('boot from one image, the newest first, and a second run finds nothing to do', async (t) => {
    const machine = sharing(t);
    assert.equal((await install(machine)).status, 0);
    const [image = '', ...others] = machine.paths(IMAGE);
    assert.deepEqual(others, []);
    assert.deepEqual(leads(machine), {
      1: `${image} 002`,
      2: `${image} 001`,
      3: `${image} 000`,
    });
    const entries = machine.paths(ENTRY);
    assert.deepEqual(
      texts(machine, image, '.profile').map((text) => text.trim()),
      entries.map((path) => `ID=${/([^/]*)\.conf$/.exec(path)?.[1]}`).reverse(),
    );
    const cmdlines = texts(machine, image, '.cmdline');
    for (const [at, path] of entries.toReversed().entries()) {
      assert.ok(machine.read(path).endsWith(`\noptions ${cmdlines[at]}\n`));
    }
    assert.match((await machine.run('plan', '--format', 'shared')).output, /nothing to do/);
    assert.equal((await machine.run('verify', '--format', 'shared', '--deep')).status, 0);
  });

  test('join without a new name for those that are there, and without a change of their PCR 11', async (t) => {
    const machine = sharing(t, 2);
    await install(machine);
    const [before = ''] = machine.paths(IMAGE);
    const old = bytesSource(bytesOf(machine, before));
    const entries = machine.paths(ENTRY);
    machine.generations([{ number: 3, tag: 'joins' }]);
    const { output } = await machine.run('plan', '--format', 'shared', '--json');
    await install(machine);
    const [image = '', ...others] = machine.paths(IMAGE);
    assert.deepEqual(others, []);
    assert.notEqual(image, before);
    assert.deepEqual(machine.paths(ENTRY).slice(0, 2), entries);
    const young = bytesSource(bytesOf(machine, image));
    for (const at of [0, 1]) {
      assert.deepEqual(
        predictPcr11(young, { profile: at + 1 }),
        predictPcr11(old, { profile: at }),
      );
    }
    const [{ plan }] = JSON.parse(output).esps;
    const steps = plan.phases.map(
      ({ name, steps: all }: { name: string; steps: { kind: string }[] }) => [
        name,
        ...all.map(({ kind }) => kind),
      ],
    );
    assert.deepEqual(steps, [
      ['put', 'write'],
      ['publish', 'write', 'overwrite', 'overwrite'],
      ['default', 'overwrite'],
      ['remove-blobs', 'remove'],
    ]);
  });

  test('leave the image of the running system as it is, and come together beside it', async (t) => {
    const machine = sharing(t, 2);
    machine.boots(2);
    await install(machine);
    const [running = ''] = machine.paths(IMAGE);
    machine.generations([{ number: 3, tag: 'third' }]);
    await install(machine);
    machine.generations([{ number: 4, tag: 'fourth' }]);
    await install(machine);
    const images = machine.paths(IMAGE);
    const other = images.find((path) => path !== running) ?? '';
    assert.equal(images.length, 2);
    assert.deepEqual(leads(machine), {
      1: `${running} 001`,
      2: `${running} 000`,
      3: `${other} 001`,
      4: `${other} 000`,
    });
    // Once another system runs, nothing moves until another generation comes.
    machine.boots(4);
    assert.match((await install(machine)).output, /nothing to do/);
    machine.generations([{ number: 5, tag: 'fifth' }]);
    await install(machine);
    const all = Object.values(leads(machine)).map((lead) => lead.split(' ')[0]);
    assert.equal(new Set(all).size, 2);
    assert.equal(all[3], other);
    assert.deepEqual(new Set([all[0], all[1]]), new Set([all[4]]));
  });

  test('that leave take their entries, and the image stays until it is made anew', async (t) => {
    const machine = sharing(t);
    await install(machine);
    const images = machine.paths(IMAGE);
    await install(machine, '--limit', '1');
    assert.deepEqual(machine.installed(), [3]);
    assert.deepEqual(machine.paths(IMAGE), images);
    assert.equal((await machine.run('verify', '--deep', '--format', 'shared')).status, 0);
    assert.match((await install(machine, '--limit', '1')).output, /nothing to do/);
  });

  test('get a second image where the headers of the stub have no more room', async (t) => {
    const machine = sharing(t, 7);
    // Fifteen rows: two are the stub's, and the base has four and room for two.
    bringStub(machine, '257.9', 0x400);
    await install(machine);
    const count = machine.paths(IMAGE).length;
    assert.ok(count > 1, `${count} images`);
    assert.deepEqual(machine.installed(), [1, 2, 3, 4, 5, 6, 7]);
    assert.equal((await machine.run('verify', '--deep', '--format', 'shared')).status, 0);
    machine.generations([{ number: 8, tag: 'one more' }]);
    await install(machine);
    assert.equal(machine.installed().length, 8);
    assert.match((await install(machine)).output, /nothing to do/);
  });

  test('with another kernel have an image of their own', async (t) => {
    const machine = sharing(t, 2);
    machine.generations([{ number: 3, kernel: aKernel('other'), version: '6.13' }]);
    await install(machine);
    assert.equal(machine.paths(IMAGE).length, 2);
  });
});

test('list tells who shares an image, and status what has to go for it to go', async (t) => {
  const machine = sharing(t);
  await install(machine);
  const listed = JSON.parse((await machine.run('list', '--json')).output).esps[0].entries;
  const [image = ''] = machine.paths(IMAGE);
  const { size } = fs.statSync(join(machine.esp, image));
  for (const entry of listed) {
    assert.equal(entry.sharesWith.length, 2);
    assert.ok(entry.size > size && entry.frees < 4096);
  }
  assert.match((await machine.run('list')).output, /^3, 2, 1 share [\d.]+ KiB$/m);
  const { output } = await machine.run('status', '--format', 'shared');
  assert.match(output, /shared: .* free\s+once\s+generations\s+3, 2, 1 are gone/);
});

describe('what is damaged', () => {
  test('is found and mended: an entry that leads to the profile of another', async (t) => {
    const machine = sharing(t);
    await install(machine);
    const whole = machine.tree();
    const [path = ''] = machine.paths(ENTRY);
    machine.put(path, machine.read(path).replace('@002', '@001'));
    const found = await machine.run('verify', '--format', 'shared');
    assert.notEqual(found.status, 0);
    assert.match(found.output, /profile 1 of uki-\S+ is not its own/);
    const inode = fs.statSync(join(machine.esp, path)).ino;
    assert.equal((await machine.run('repair', '--format', 'shared')).status, 0);
    assert.deepEqual(machine.tree(), whole);
    assert.equal(fs.statSync(join(machine.esp, path)).ino, inode);
  });

  test('is found and mended: an image, whatever of it is wrong', async (t) => {
    const machine = sharing(t);
    await install(machine);
    const whole = machine.tree();
    const [image = ''] = machine.paths(IMAGE);
    const bytes = bytesOf(machine, image);
    const spoilt = Buffer.from(bytes);
    spoilt[spoilt.length - 700] = (spoilt[spoilt.length - 700] ?? 0) ^ 1;
    for (const content of [bytes.subarray(0, 3000), spoilt, undefined]) {
      if (content) machine.put(image, content);
      else fs.rmSync(join(machine.esp, image));
      assert.notEqual((await machine.run('verify', '--deep', '--format', 'shared')).status, 0);
      assert.equal((await machine.run('repair', '--format', 'shared')).status, 0);
      assert.deepEqual(machine.tree(), whole);
    }
  });

  test('is mended by another image, where some of its generations are gone', async (t) => {
    const machine = sharing(t);
    await install(machine);
    await install(machine, '--limit', '1');
    const [image = ''] = machine.paths(IMAGE);
    machine.put(image, bytesOf(machine, image).subarray(0, 3000));
    const args = ['--format', 'shared', '--limit', '1'];
    assert.equal((await machine.run('repair', ...args)).status, 0);
    assert.deepEqual(leads(machine), {
      3: `${machine.paths(IMAGE).find((path) => path !== image)} 000`,
    });
    await install(machine, '--limit', '1');
    assert.equal(machine.paths(IMAGE).length, 1);
  });
});

describe('another certificate', () => {
  test('gives new names to all of them, which keep their counters, and boot until the old ones go', async (t) => {
    const machine = sharing(t);
    const signed = ['--certificate', certificatePath, '--private-key', privateKeyPath];
    const args = ['--format', 'shared', '--boot-counting', '3'];
    await machine.run('install', ...args);
    const [first = ''] = machine.paths(ENTRY);
    fs.renameSync(join(machine.esp, first), join(machine.esp, first.replace('+3', '+0-3')));
    const before = machine.paths(ENTRY);
    const all = [...machine.arguments(), '--quiet', '--allow-insecure-key', ...signed, ...args];
    const { output } = await machine.runWith({}, 'plan', '--json', ...all);
    const [{ plan }] = JSON.parse(output).esps;
    assert.deepEqual(
      plan.phases
        .map(({ name }: { name: string }) => name)
        .filter((name: string) => name !== 'loader'),
      ['put', 'publish', 'default', 'remove-entries', 'remove-blobs'],
    );
    assert.equal((await machine.runWith({}, 'install', ...all)).status, 0);
    const after = machine.paths(ENTRY);
    assert.ok(after.every((path) => !before.includes(path)));
    assert.match(after[0] ?? '', /-generation-1-[a-z2-7]{52}\+0-3\.conf$/);
    assert.equal(machine.paths(IMAGE).length, 1);
    const looked = await machine.runWith({}, 'verify', '--deep', ...machine.arguments(), ...signed);
    assert.equal(looked.status, 0, looked.output);
  });
});

describe('moving between formats', () => {
  test('keeps boot counters either way', async (t) => {
    const machine = sharing(t, 2);
    const to = (format: string) =>
      machine.run('install', '--format', format, '--boot-counting', '3');
    const paths = () => machine.paths(/generation-1-/);
    await to('uki');
    const [path = ''] = paths();
    fs.renameSync(join(machine.esp, path), join(machine.esp, path.replace('+3', '+1-2')));
    for (const format of ['shared', 'uki', 'shared', 'type1', 'shared']) {
      await to(format);
      assert.deepEqual(
        paths().map((each) => /\+[\d-]+/.exec(each)?.[0]),
        ['+1-2'],
        format,
      );
    }
  });
});

describe('the format auto', () => {
  const chosen = async (machine: Machine) => {
    const { output } = await machine.run('plan', '--format', 'auto', '--json');
    return JSON.parse(output).esps[0].format;
  };

  test('shares images where that saves room, and says so', async (t) => {
    const { name, because } = await chosen(sharing(t));
    assert.equal(name, 'shared');
    assert.match(because, /^1 images in place of 3 save 6\d % of the room$/);
  });

  test('makes an image for each generation where sharing saves nothing', async (t) => {
    const machine = aMachine(t, {
      generations: [{}, { kernel: aKernel('other'), version: '6.13' }],
    });
    bringStub(machine, '262');
    const { name, because } = await chosen(machine);
    assert.equal(name, 'uki');
    assert.match(because, /pays too little/);
  });

  test('and shared alike make an image for each generation where the stub is too old', async (t) => {
    const machine = sharing(t);
    bringStub(machine, '256.7');
    assert.equal((await chosen(machine)).name, 'uki');
    const { status } = await install(machine);
    assert.equal(status, 5);
    assert.equal(machine.paths(/^EFI\/Linux\/nixos-generation-/).length, 3);
    assert.deepEqual(machine.paths(IMAGE), []);
  });
});
