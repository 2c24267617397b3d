/** loader.conf and the mark of the layout: damage is found by every look, and healed by every run. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseLayoutMark } from '../../src/esp/layout-mark.ts';
import { formatLoaderConf, parseLoaderConf } from '../../src/loader/loader-conf.ts';
import { loaderConfDamage } from '../../src/loader/loader-conf-damage.ts';
import { aMachine, type Machine } from './a-machine.ts';

const CONF = 'loader/loader.conf';
const SREL = 'loader/entries.srel';

const bytesOf = (machine: Machine, path: string) => fs.readFileSync(join(machine.esp, path));
const verify = (machine: Machine, ...args: readonly string[]) =>
  machine.runWith({}, 'verify', ...machine.arguments(), ...args);

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** Flips the bit at which a text starts. */
function flippedAt(machine: Machine, path: string, text: string): Uint8Array {
  return flipped(bytesOf(machine, path), bytesOf(machine, path).indexOf(text) * 8);
}

const DAMAGE: readonly (readonly [
  what: string,
  path: string,
  damaged: (machine: Machine) => Uint8Array,
])[] = [
  ['a flipped bit in a key', CONF, (machine) => flippedAt(machine, CONF, 'timeout')],
  ['a flipped bit in a value', CONF, (machine) => flippedAt(machine, CONF, '5\n')],
  ['a flipped bit in the name of the entry', CONF, (machine) => flippedAt(machine, CONF, 'nixos-')],
  ['a flipped bit in the comment', CONF, (machine) => flippedAt(machine, CONF, 'settings')],
  ['a flipped bit in the last byte', CONF, (machine) => flipped(bytesOf(machine, CONF), 4088)],
  ['512 zeros', CONF, () => new Uint8Array(512)],
  ['zeros at the end', CONF, (machine) => bytesOf(machine, CONF).fill(0, 150)],
  ['zeros at the start', CONF, (machine) => bytesOf(machine, CONF).fill(0, 0, 90)],
  ['a cut in the first word', CONF, (machine) => bytesOf(machine, CONF).subarray(0, 3)],
  ['a word without a value', CONF, () => Buffer.from('type1\n')],
  [
    'flipped bits in all that tells whose it is',
    CONF,
    (machine) =>
      Buffer.from(
        machine.read(CONF).replace(/Written|default|timeout/g, (word) => `x${word.slice(1)}`),
      ),
  ],
  ['a cut in a line', CONF, (machine) => bytesOf(machine, CONF).subarray(0, 100)],
  [
    'a cut between lines',
    CONF,
    (machine) => bytesOf(machine, CONF).subarray(0, bytesOf(machine, CONF).indexOf('timeout')),
  ],
  ['the content of another file', CONF, () => Buffer.from('title Linux\nlinux /vmlinuz\n')],
  ['a line without a setting', CONF, () => Buffer.from('somebody keeps notes here\n')],
  ['a flipped bit', SREL, (machine) => flipped(bytesOf(machine, SREL), 0)],
  ['a flipped bit in the digit', SREL, (machine) => flipped(bytesOf(machine, SREL), 33)],
  ['zeros', SREL, () => new Uint8Array(6)],
  ['zeros at the end', SREL, () => Buffer.from('ty\0\0\0\0')],
  ['a cut', SREL, () => Buffer.from('typ')],
  ['the content of another file', SREL, () => Buffer.from('title Linux\nlinux /vmlinuz\n')],
  ['a whole initrd', SREL, () => Buffer.alloc(65_542, 'initrd ')],
];

for (const [what, path, damaged] of DAMAGE) {
  test(`${what} in ${path} is found by every look, told and healed by install and repair`, async (t) => {
    for (const verb of ['install', 'repair']) {
      const machine = aMachine(t, { generations: [{}, {}] });
      await machine.run('install');
      const before = machine.tree();
      machine.put(path, damaged(machine));
      for (const args of [[], ['--deep']]) {
        const { status, output } = await verify(machine, ...args);
        assert.notEqual(status, 0, output);
        assert.ok(output.includes(`${path}: `), output);
      }
      const healed = await machine.run(verb, '--json');
      assert.equal(healed.status, 5, healed.error?.message);
      assert.match(JSON.parse(healed.output).warnings.join(), new RegExp(`${path} is damaged`));
      assert.deepEqual(machine.tree(), before);
      assert.equal((await verify(machine)).status, 0);
      assert.equal((await machine.run('install')).status, 0);
    }
  });
}

test('a healed loader.conf has the settings of the configuration', async (t) => {
  const machine = aMachine(t);
  const config = join(machine.root, 'espalier.toml');
  fs.writeFileSync(config, '[loader]\ntimeout = 9\neditor = "no"\n');
  await machine.run('install', '--config', config);
  const before = machine.tree();
  machine.put(CONF, new Uint8Array(512));
  await machine.run('install', '--config', config);
  assert.deepEqual(machine.tree(), before);
});

test('a repair of loader.conf leaves alone what boots next, where that can be read', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  await machine.run('install', machine.toplevel(1));
  machine.put(CONF, flippedAt(machine, CONF, 'timeout'));
  await machine.run('repair');
  assert.equal(machine.next(), 1);
});

test('an edit by hand is no damage: its settings stay', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  machine.put(CONF, machine.read(CONF).replace('timeout 5', 'timeout 10'));
  assert.equal((await verify(machine)).status, 0);
  assert.equal((await machine.run('install')).status, 0);
  assert.match(machine.read(CONF), /^timeout 10$/m);
});

test('the name of an entry that is gone is worse than damage', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  await machine.run('install');
  const [next = ''] = machine.paths(/generation-2-/);
  fs.rmSync(join(machine.esp, next));
  const { status, output } = await verify(machine);
  assert.equal(status, 1);
  assert.match(output, /! loader\/loader\.conf: it names nixos-generation-2-.* which is not there/);
});

test('another loader’s own word is refused, and told by every look', async (t) => {
  for (const word of ['type2\n', 'grub', 'bls\n']) {
    const machine = aMachine(t);
    await machine.run('install');
    machine.put(SREL, word);
    const { status, output } = await verify(machine);
    assert.equal(status, 5);
    assert.match(output, /entries\.srel: it says \w+, not type1/);
    const { error } = await machine.run('install');
    assert.equal(error?.code, 'FOREIGN_LAYOUT');
    assert.equal(machine.read(SREL), word);
  }
});

describe('whatever bit is flipped', () => {
  test('a loader.conf of ours is damaged', () => {
    const next = { id: 'nixos-generation-7-abc*.efi' };
    const whole = formatLoaderConf([['timeout', '5']], next);
    assert.equal(loaderConfDamage(whole), undefined);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      assert.equal(loaderConfDamage(flipped(whole, bit))?.isOurs, true, `bit ${bit}`);
    }
  });

  test('a mark of the layout is damaged, or says the same', () => {
    const whole = new TextEncoder().encode('type1\n');
    for (let bit = 0; bit < 48; bit++) {
      const { layout, layoutDamage } = parseLayoutMark(flipped(whole, bit));
      assert.ok(layoutDamage !== undefined || layout === 'type1', `bit ${bit}`);
    }
  });
});

test('a loader.conf of ours without room for the comment, and one of an older version, are whole', () => {
  const next = { id: 'nixos-generation-7-abc*.efi' };
  const full = formatLoaderConf(
    [
      ['timeout', '5'],
      ['console-mode', 'x'.repeat(420)],
    ],
    next,
  );
  assert.equal(loaderConfDamage(full), undefined);
  const old =
    '# Written by espalier: settings are made in its configuration.\ndefault nixos-generation-7-abc.efi\ntimeout 5\n';
  assert.equal(loaderConfDamage(Buffer.from(old.padEnd(512, '\n'))), undefined);
  assert.equal(parseLoaderConf(old).length, 2);
});

test('a loader.conf of somebody else is nobody’s damage, unless no loader could read it', () => {
  const text = (content: string) => loaderConfDamage(Buffer.from(content));
  assert.equal(text('#timeout 3\n#console-mode keep\n'), undefined);
  assert.equal(text('timeout 3\nunheard-of yes\ndefault nixos-generation-3.conf'), undefined);
  assert.equal(text('timeout 3\n\0\0\0')?.isOurs, false);
  assert.equal(text('')?.isOurs, false);
});
