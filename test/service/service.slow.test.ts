import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isTemporaryName } from '../../src/esp/temporary-name.ts';
import { aKernel, aMachine, type Machine } from '../command/a-machine.ts';
import { aNotify, aService, runVerb, until } from './a-service.ts';

const has =
  (machine: Machine, ...numbers: readonly number[]) =>
  () =>
    fs.existsSync(join(machine.esp, 'loader/loader.conf')) &&
    `${machine.installed()}` === `${numbers}` &&
    machine.next() === numbers.at(-1);

/** Makes every file as old as those of a store, whose digests are remembered at once. */
function age(machine: Machine): void {
  for (const path of fs.readdirSync(machine.root, { recursive: true, encoding: 'utf8' })) {
    fs.lutimesSync(join(machine.root, path), 1, 1);
  }
}

/** Every file below the machine with its time of change: what a write would change. */
function times(machine: Machine): Record<string, number> {
  const paths = fs.readdirSync(machine.root, { recursive: true, encoding: 'utf8' });
  return Object.fromEntries(
    paths.map((path) => [path, fs.lstatSync(join(machine.root, path)).ctimeMs]),
  );
}

const isSame = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

// Most of the time they wait for a rescan, so they wait together.
describe('espalier watch', { concurrency: 4 }, () => {
  describe('the ESP follows the profiles', { concurrency: 4 }, () => {
    test('a new generation gets an entry and boots next; a deleted one loses its entry', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const service = aService(t, machine);
      await until('the first generation', has(machine, 1));
      machine.generations([{}, {}]);
      await until('the second', has(machine, 1, 2));
      fs.unlinkSync(machine.link(1));
      await until('the second alone', has(machine, 2));
      assert.equal(await service.end(), 0);
      assert.deepEqual([...new Set(service.said)], ['installed']);
    });

    test('a pinned generation gets an entry whatever the limit is, and loses it with the pin', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      const pins = ['--pins', join(machine.root, 'pins')];
      aService(t, machine, { args: ['--limit', '1', ...pins] });
      await until('the second', has(machine, 2));
      await runVerb(machine, 'pin', '1', ...pins);
      await until('both', has(machine, 1, 2));
      await runVerb(machine, 'unpin', '1', ...pins);
      await until('the second again', has(machine, 2));
    });

    test('a file that went or was damaged comes back with the rescan', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      aService(t, machine, { args: ['--rescan', '1'] });
      await until('both generations', has(machine, 1, 2));
      const whole = machine.tree();
      const [gone, damaged] = machine.paths(/nixos-generation-/);
      fs.unlinkSync(join(machine.esp, gone ?? ''));
      fs.truncateSync(join(machine.esp, damaged ?? ''), 100);
      fs.unlinkSync(join(machine.esp, 'EFI/BOOT/BOOTX64.EFI'));
      await until('all is whole', () => JSON.stringify(machine.tree()) === JSON.stringify(whole));
    });

    test('while nothing changes nothing is written and nothing is said', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      age(machine);
      const service = aService(t, machine, { args: ['--rescan', '1', '-v'] });
      await until('both generations', has(machine, 1, 2));
      await service.looks(1);
      const [before, said] = [times(machine), service.said];
      await service.looks(2);
      assert.deepEqual(
        Object.entries(times(machine)).filter(([path, at]) => before[path] !== at),
        [],
      );
      assert.deepEqual(service.said, said);
    });

    test('profiles that are not there yet are waited for', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const elsewhere = `${machine.profiles}.later`;
      fs.renameSync(machine.profiles, elsewhere);
      const service = aService(t, machine);
      await until('its complaint', () => service.said.length > 0);
      fs.renameSync(elsewhere, machine.profiles);
      await until('the generation', has(machine, 1));
      await service.end();
      assert.deepEqual(service.said, ['CONFIG_INVALID', 'installed', 'CONFIG_INVALID']);
    });
  });

  describe('a condition is told once and ends by itself', { concurrency: 4 }, () => {
    test('an ESP that vanishes and comes back', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const service = aService(t, machine, { args: ['-v'] });
      await until('the generation', has(machine, 1));
      fs.renameSync(machine.esp, `${machine.esp}.away`);
      machine.generations([{}, {}]);
      await service.looks(2);
      fs.renameSync(`${machine.esp}.away`, machine.esp);
      await until('both generations', has(machine, 1, 2));
      await service.end();
      const about = service.log.filter(({ code }) => code === 'ESP_NOT_MOUNTED');
      assert.deepEqual(
        about.map(({ level, msg }) => [level, msg.startsWith('this is over: ')]),
        [
          [50, false],
          [30, true],
        ],
      );
    });

    test('an XBOOTLDR partition that vanishes and comes back', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const xbootldr = join(machine.root, 'xbootldr');
      fs.mkdirSync(xbootldr);
      const service = aService(t, machine, { args: ['-v', '--xbootldr', xbootldr] });
      const hasThere = (number: number) => () =>
        Object.keys(machine.tree(xbootldr)).some((path) => path.includes(`-${number}-`));
      await until('the generation', hasThere(1));
      fs.renameSync(xbootldr, `${xbootldr}.away`);
      machine.generations([{}, {}]);
      await service.looks(2);
      assert.deepEqual(machine.installed(), []);
      fs.renameSync(`${xbootldr}.away`, xbootldr);
      await until('the second generation', hasThere(2));
      await service.end();
      assert.deepEqual(
        service.log.flatMap(({ code, msg }) =>
          code === 'ESP_NOT_MOUNTED' ? [msg.startsWith('this is over: ')] : [],
        ),
        [false, true],
      );
    });

    test('a primary ESP that is away, while the mirror goes on', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const mirror = join(machine.root, 'mirror');
      fs.mkdirSync(mirror);
      aService(t, machine, { args: ['--esp', mirror] });
      const isEqual = () => isSame(machine.tree(), machine.tree(mirror));
      await until('both', () => has(machine, 1)() && isEqual());
      fs.renameSync(machine.esp, `${machine.esp}.away`);
      machine.generations([{ number: 2 }]);
      const second = () => Object.keys(machine.tree(mirror)).some((path) => /-2-/.test(path));
      await until('the second on the mirror', second);
      fs.renameSync(`${machine.esp}.away`, machine.esp);
      await until('both again', () => has(machine, 1, 2)() && isEqual());
    });

    test('an ESP that comes back as it was long ago: what booted next then is no choice', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      await runVerb(machine, 'install', machine.toplevel(1));
      const old = join(machine.root, 'old');
      fs.cpSync(machine.esp, old, { recursive: true });
      const service = aService(t, machine, { args: ['--rescan', '1'] });
      await until('the second', has(machine, 1, 2));
      fs.renameSync(machine.esp, `${machine.esp}.away`);
      await until('its complaint', () => service.said.includes('ESP_NOT_MOUNTED'));
      fs.renameSync(old, machine.esp);
      await until('the second again', has(machine, 1, 2));
    });

    test('an ESP that comes back as it was: what a person chose to boot next stands', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      const service = aService(t, machine, { args: ['--rescan', '1', '-v'] });
      await until('both', has(machine, 1, 2));
      await runVerb(machine, 'install', machine.toplevel(1));
      await service.looks(2);
      fs.renameSync(machine.esp, `${machine.esp}.away`);
      await until('its complaint', () => service.said.includes('ESP_NOT_MOUNTED'));
      fs.renameSync(`${machine.esp}.away`, machine.esp);
      await service.looks(2);
      assert.equal(machine.next(), 1);
    });

    test('an ESP without space, until the configuration leaves some', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const config = join(machine.root, 'espalier.toml');
      fs.writeFileSync(config, 'reserve = "999999G"\n');
      const service = aService(t, machine, { args: ['-v', '--config', config] });
      await service.looks(3);
      assert.deepEqual(service.said, ['ESP_FULL']);
      fs.writeFileSync(config, '');
      service.child.kill('SIGHUP');
      await until('the generation', has(machine, 1));
    });

    test('a generation that loses its kernel, with the rescan', async (t) => {
      const machine = aMachine(t, { generations: [{ version: '6.12.1' }, {}] });
      const service = aService(t, machine, { args: ['-v', '--rescan', '1'] });
      await until('two entries', () => machine.installed().length === 2);
      fs.rmSync(fs.realpathSync(join(machine.link(1), 'kernel')));
      await until('a word', () =>
        service.log.some(({ msg }) => /generation 1 is broken/.test(msg)),
      );
      assert.deepEqual(machine.installed(), [1, 2], 'what it has on the ESP stays');
    });

    test('a generation that is broken', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}] });
      fs.truncateSync(join(machine.toplevel(1), 'boot.json'), 1);
      const service = aService(t, machine, { args: ['-v', '--rescan', '1'] });
      await service.looks(3);
      const warnings = service.log.filter(({ level }) => level === 40);
      assert.deepEqual(
        warnings.map(({ msg }) => /generation 1 is broken/.test(msg)),
        [true],
      );
    });
  });

  describe('others', { concurrency: 4 }, () => {
    test('a second watcher of the same ESP is refused with the name of the first', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const service = aService(t, machine);
      await until('the generation', has(machine, 1));
      const { status, error } = await runVerb(machine, 'watch');
      assert.equal(status, 1);
      assert.match(
        error,
        new RegExp(`\\(watch, process ${service.child.pid}, since .*LOCKED`, 's'),
      );
    });

    test('what install made boot next stays so until the profiles change', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}] });
      const service = aService(t, machine, { args: ['-v', '--rescan', '1'] });
      await until('all generations', has(machine, 1, 2, 3));
      await service.looks(1);
      const { status, error } = await runVerb(machine, 'install', machine.toplevel(2));
      assert.equal(status, 0, error);
      await service.looks(2);
      assert.equal(machine.next(), 2);
      machine.generations([{}, {}, {}, {}]);
      await until('the new one boots next', has(machine, 1, 2, 3, 4));
    });
  });

  describe('signals', { concurrency: 4 }, () => {
    test('SIGTERM in the middle of a write leaves a whole ESP and status 0', async (t) => {
      const large = new Uint8Array(24 * 1024 * 1024);
      const kernels = ['one', 'two', 'three'].map((name) => {
        large.set(new TextEncoder().encode(name));
        return Buffer.concat([aKernel(name), large]);
      });
      const machine = aMachine(t, { generations: kernels.map((kernel) => ({ kernel })) });
      const service = aService(t, machine);
      const temporaries = () =>
        fs
          .readdirSync(machine.esp, { recursive: true, encoding: 'utf8' })
          .filter((path) => isTemporaryName(path.slice(path.lastIndexOf('/') + 1)));
      await until('a write has begun', () => temporaries().length > 0);
      assert.equal(await service.end(), 0);
      assert.deepEqual(temporaries(), []);
      const left = Object.entries(machine.tree());
      assert.equal((await runVerb(machine, 'install')).status, 0);
      const whole = machine.tree();
      for (const [path, digest] of left) assert.equal(whole[path], digest, path);
      assert.ok(left.length < Object.keys(whole).length, 'there was something left to do');
    });

    test('SIGHUP makes it read the configuration again; one that is wrong changes nothing', async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}] });
      const config = join(machine.root, 'espalier.toml');
      fs.writeFileSync(config, '');
      const service = aService(t, machine, { args: ['--config', config] });
      await until('all generations', has(machine, 1, 2, 3));
      fs.writeFileSync(config, 'limit = "many"\n');
      service.child.kill('SIGHUP');
      await until('its complaint', () => service.said.includes('CONFIG_INVALID'));
      assert.deepEqual(machine.installed(), [1, 2, 3]);
      fs.writeFileSync(config, 'limit = 2\n');
      service.child.kill('SIGHUP');
      await until('the limit', has(machine, 2, 3));
      assert.equal(await service.end('SIGINT'), 0);
    });
  });

  describe('systemd', { concurrency: 4 }, () => {
    test('is told of start, state, life, reload and end', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const notify = aNotify(machine);
      const environment = { ...notify.environment, WATCHDOG_USEC: '400000' };
      const service = aService(t, machine, { environment });
      const told = (pattern: RegExp) => () => notify.messages().some((line) => pattern.test(line));
      await until(
        'its state',
        told(
          /^STATUS=nixos-generation-1-\S+ boots next, [\d.]+ .iB free; last change: \d+ written/,
        ),
      );
      assert.equal(notify.messages()[0], 'READY=1;');
      await until('a sign of life', told(/^WATCHDOG=1;$/));
      const before = notify.messages().length;
      service.child.kill('SIGHUP');
      await until('it is ready again', () => notify.messages().slice(before).includes('READY=1;'));
      const [reloading] = notify.messages().filter((line) => line.startsWith('RELOADING=1;'));
      const uptime = Number(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
      const monotonic = Number(/MONOTONIC_USEC=(\d+);$/.exec(reloading ?? '')?.[1]) / 1e6;
      assert.ok(monotonic > 0 && monotonic <= uptime + 1, reloading);
      assert.equal(await service.end(), 0);
      await until('its end', told(/^STOPPING=1;$/));
      // Others write to the file system of this test: how much is free may change and be told again.
      const standings = notify
        .messages()
        .filter((line) => line.startsWith('STATUS='))
        .map((line) => line.replace(/[\d.]+ .iB free/, 'free'));
      assert.equal(new Set(standings).size, 1);
    });

    test('another’s watchdog is none of ours', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const notify = aNotify(machine);
      const environment = { ...notify.environment, WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' };
      const service = aService(t, machine, { environment, args: ['-v', '--rescan', '1'] });
      await service.looks(2);
      assert.ok(!notify.messages().includes('WATCHDOG=1;'));
    });

    test('that cannot be told anything is complained about once, and followed all the same', async (t) => {
      const machine = aMachine(t, { generations: [{}] });
      const environment = { NOTIFY_SOCKET: '/run/nobody', PATH: machine.root };
      const service = aService(t, machine, { environment });
      await until('the generation', has(machine, 1));
      assert.equal(await service.end(), 0);
      assert.deepEqual(service.said.toSorted(), ['IO', 'installed']);
    });

    test('gets lines with a priority when stderr is the journal’s, and only then', async (t) => {
      for (const ours of [true, false]) {
        const machine = aMachine(t, { generations: [{}] });
        const path = join(machine.root, 'journal');
        const stderr = fs.openSync(path, 'w');
        const { dev, ino } = fs.fstatSync(stderr);
        const environment = { JOURNAL_STREAM: ours ? `${dev}:${ino}` : '1:1' };
        const service = aService(t, machine, { environment, stderr });
        await until('a line', () => fs.statSync(path).size > 0);
        await service.end();
        fs.closeSync(stderr);
        assert.match(fs.readFileSync(path, 'utf8'), ours ? /^<6>\{"level":30,/ : /^\{"level":30,/);
      }
    });
  });
});
