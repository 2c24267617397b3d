/** Two machines on one ESP with names of one shape: each removes its own old entries, and only those. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { type TestContext, test } from 'node:test';
import { aMachine, type Machine } from './a-machine.ts';

/** The entries on the ESP of a machine, whosever they are. */
function entriesOf(machine: Machine): string[] {
  return machine.paths(/nixos-generation-/);
}

/** A machine whose systems no other machine has. */
function aResident(t: TestContext, tag: string): Machine {
  return aMachine(t, { generations: [{ tag: `${tag}-1` }, { tag: `${tag}-2` }] });
}

/** Deletes a generation and collects what it was. */
function collect(machine: Machine, number: number): void {
  const system = machine.toplevel(number);
  fs.rmSync(machine.link(number));
  fs.rmSync(system, { recursive: true });
}

/** Installs one machine on the ESP of another. */
function installOn(shared: Machine, machine: Machine, ...args: readonly string[]) {
  const own = machine.arguments().slice(3);
  const quiet = ['--allow-unsigned', '--quiet', '--json'];
  return machine.runWith(
    {},
    'install',
    ...['--esp', shared.esp, '--allow-directory', ...own, ...quiet, ...args],
  );
}

for (const format of ['uki', 'type1']) {
  test(`with ${format}, two machines keep each other's entries, run after run, and say so`, async (t) => {
    const first = aResident(t, 'first');
    const second = aResident(t, 'second');
    const run = (machine: Machine) => installOn(first, machine, '--format', format);
    assert.equal((await run(first)).status, 0);
    const ofFirst = entriesOf(first);
    const met = await run(second);
    assert.equal(met.status, 5);
    const [warning = ''] = JSON.parse(met.output).warnings;
    assert.match(warning, /kept as another machine's.*--entry-token.*install --take-over/);
    const all = entriesOf(first);
    assert.equal(all.length, 4);
    assert.ok(ofFirst.every((path) => all.includes(path)));
    for (const machine of [first, second, first]) {
      assert.equal((await run(machine)).status, 5);
      assert.deepEqual(entriesOf(first), all);
    }
    for (const path of first.paths(/\.(efi|conf)$/))
      assert.ok(fs.statSync(`${first.esp}/${path}`).size > 0);
  });
}

test('each machine removes its own collected generations beside those of the other', async (t) => {
  const first = aResident(t, 'first');
  const second = aResident(t, 'second');
  await installOn(first, first);
  await installOn(first, second);
  collect(first, 1);
  await installOn(first, first);
  assert.equal(entriesOf(first).length, 3);
  collect(second, 1);
  await installOn(first, second);
  assert.deepEqual(
    entriesOf(first).map((path) => /generation-(\d)/.exec(path)?.[1]),
    ['2', '2'],
  );
});

test('a machine alone removes collected generations though it remembers nothing', async (t) => {
  const machine = aResident(t, 'only');
  await installOn(machine, machine);
  fs.rmSync(`${machine.root}/cache`, { recursive: true });
  collect(machine, 1);
  assert.equal((await installOn(machine, machine)).status, 0);
  assert.deepEqual(machine.installed(), [2]);
});

test('an entry whose text is damaged is no neighbour’s, and is healed', async (t) => {
  const machine = aResident(t, 'first');
  const install = () => installOn(machine, machine, '--format', 'type1');
  await install();
  const before = machine.tree();
  const [, second = ''] = entriesOf(machine);
  machine.put(second, machine.read(second).replace('/nix/store/', '/nix/stored/'));
  assert.equal((await install()).status, 0);
  assert.deepEqual(machine.tree(), before);
});

for (const format of ['uki', 'type1']) {
  test(`a damaged entry beside another machine’s is left to its owner (${format})`, async (t) => {
    const first = aResident(t, 'first');
    const second = aResident(t, 'second');
    const run = (machine: Machine) => installOn(first, machine, '--format', format);
    await run(first);
    await run(second);
    const [entry = ''] = entriesOf(first).filter((path) =>
      first.read(path).includes(`${first.toplevel(1)}/init`),
    );
    const whole = first.tree()[entry];
    fs.truncateSync(`${first.esp}/${entry}`, 90);
    await run(second);
    assert.ok(entriesOf(first).includes(entry));
    await run(first);
    assert.equal(first.tree()[entry], whole);
  });
}

test('a collection spares the entries of another machine', async (t) => {
  const first = aResident(t, 'first');
  const second = aResident(t, 'second');
  await installOn(first, first);
  await installOn(first, second);
  const own = second.arguments().slice(3);
  const args = ['--esp', first.esp, '--allow-directory', ...own, '--allow-unsigned', '--quiet'];
  assert.equal((await second.runWith({}, 'gc', ...args)).status, 5);
  assert.equal(entriesOf(first).length, 4);
});

test('--take-over removes what another machine left', async (t) => {
  const gone = aResident(t, 'gone');
  const machine = aResident(t, 'new');
  await installOn(gone, gone);
  await installOn(gone, machine);
  assert.equal((await installOn(gone, machine, '--take-over')).status, 0);
  assert.equal(entriesOf(gone).length, 2);
  assert.equal((await installOn(gone, machine)).status, 0);
});

test('with a token of its own, nobody is told of anybody', async (t) => {
  const first = aResident(t, 'first');
  const second = aResident(t, 'second');
  await installOn(first, first);
  assert.equal((await installOn(first, second, '--entry-token', 'second')).status, 0);
  assert.equal((await installOn(first, first)).status, 0);
  assert.equal(entriesOf(first).length, 2);
});

test('the status tells of entries of another machine', async (t) => {
  const first = aResident(t, 'first');
  const second = aResident(t, 'second');
  await installOn(first, first);
  await installOn(first, second);
  const own = second.arguments().slice(3);
  const { status, output } = await second.runWith(
    {},
    'status',
    ...['--esp', first.esp, '--allow-directory', ...own, '--allow-unsigned'],
  );
  assert.equal(status, 5);
  assert.match(output, /4 entries, 2 of another machine/);
});
