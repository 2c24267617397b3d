/** The road from one db key to the next: at every step of it, what is installed starts. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { parseAuthenticatedWrite } from '../../src/secureboot/authenticated-variable.ts';
import { KEY_NAMES, type KeyVariable } from '../../src/secureboot/key-variable.ts';
import { attempt } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { Firmware } from './a-firmware.ts';
import { aKeyDirectory } from './a-key-directory.ts';
import { aMachine, type Machine } from './a-machine.ts';

const missing = missingTools(['openssl', 'sbsigntool']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

/** A machine whose firmware has its owner's keys, and that boots what they signed. */
class Owned {
  readonly machine: Machine;
  readonly firmware: Firmware;
  readonly directory: string;

  static async make(t: TestContext): Promise<Owned> {
    const machine = aMachine(t, { generations: [{}, {}] });
    const owned = new Owned(machine, await aKeyDirectory(machine));
    assert.equal((await owned.install()).status, 0);
    await owned.enroll();
    for (const name of ['db', 'KEK', 'PK'] as const) owned.firmware.write(name, owned.set(name));
    return owned;
  }

  constructor(machine: Machine, directory: string) {
    this.machine = machine;
    this.firmware = new Firmware(machine);
    this.directory = directory;
  }

  key(path: string): string {
    return join(this.directory, 'keys', path);
  }

  /** The file of a variable in the set on the ESP. */
  set(name: KeyVariable): Uint8Array {
    return fs.readFileSync(join(this.machine.esp, `loader/keys/auto/${name}.auth`));
  }

  addition(): Uint8Array {
    return fs.readFileSync(this.key('db.next/db.auth'));
  }

  run(...args: readonly string[]) {
    return this.machine.runWith({}, ...args);
  }

  install(db = 'db') {
    const pair = [
      '--certificate',
      this.key(`${db}/db.pem`),
      '--private-key',
      this.key(`${db}/db.key`),
    ];
    return this.run('install', ...this.machine.arguments(), ...pair, '--quiet');
  }

  enroll() {
    const brave = '--yes-this-might-brick-my-machine';
    return this.run('keys', 'enroll', this.directory, ...this.esp(), brave, '--quiet');
  }

  makeNext() {
    return this.run('keys', 'generate', this.directory, '--next', '--bits', '2048');
  }

  enrollNext() {
    return this.run('keys', 'enroll', this.directory, '--next', ...this.esp());
  }

  move(): void {
    fs.renameSync(this.key('db'), this.key('db.old'));
    fs.renameSync(this.key('db.next'), this.key('db'));
  }

  esp(): string[] {
    return ['--esp', this.machine.esp, '--allow-directory'];
  }

  async rotation(): Promise<{ stage: string; next: string } | null> {
    const { output } = await this.run('keys', 'status', this.directory, ...this.esp(), '--json');
    return (JSON.parse(output) as { rotation: { stage: string; next: string } | null }).rotation;
  }

  /** Whether every program on the ESP starts with these certificates. */
  starts(...certificates: readonly string[]): boolean {
    return this.machine.paths(/^EFI\/.*\.efi$/i).every((path) =>
      certificates.some((name) => {
        const args = ['--cert', this.key(name), join(this.machine.esp, path)];
        return attempt('sbverify', args).status === 0;
      }),
    );
  }
}

describe('a rotation of db’s key', () => {
  test('goes from one key to the next, and everything starts at every step', {
    skip,
  }, async (t) => {
    const owned = await Owned.make(t);
    assert.equal(await owned.rotation(), null);
    assert.ok(owned.starts('db/db.pem'));

    assert.equal((await owned.makeNext()).status, 0);
    assert.equal((await owned.rotation())?.stage, 'made');
    assert.equal((await owned.enrollNext()).status, 0);
    const offered = await owned.rotation();
    assert.equal(offered?.stage, 'offered');
    assert.match(offered.next, /^chattr -i \S+ && efi-updatevar -a -f \S+\/db\.next\/db\.auth db$/);

    const before = owned.machine.tree();
    const early = await owned.install('db.next');
    assert.deepEqual([early.status, early.error?.code], [3, 'SECURE_BOOT_UNTRUSTED']);
    assert.deepEqual(owned.machine.tree(), before, 'firmware does not know it yet');

    owned.firmware.write('db', owned.addition(), 'append');
    assert.equal((await owned.rotation())?.stage, 'trusted');
    assert.ok(owned.starts('db/db.pem'), 'what firmware knew it still knows');

    owned.move();
    assert.equal((await owned.rotation())?.stage, 'moved');
    assert.equal((await owned.install()).status, 0);
    assert.ok(owned.starts('db/db.pem'));
    assert.ok(!owned.starts('db.old/db.pem'));
    assert.deepEqual(owned.machine.installed(), [1, 2], 'under new names, and once');
    assert.equal((await owned.rotation())?.stage, 'installed');

    await owned.enroll();
    owned.firmware.write('db', owned.set('db'));
    assert.equal(await owned.rotation(), null);
    assert.ok(owned.starts('db/db.pem'));
  });

  test('an update adds the next certificate alone, and only KEK’s owner can make one', {
    skip,
  }, async (t) => {
    const owned = await Owned.make(t);
    const before = owned.firmware.holds('db');
    await owned.makeNext();
    await owned.enrollNext();
    const update = owned.addition();
    owned.firmware.write('db', update, 'append');
    const { content } = parseAuthenticatedWrite(update);
    assert.deepEqual(Buffer.from(owned.firmware.holds('db')), Buffer.concat([before, content]));
    // Signed as an addition, it cannot be used to take the place of everything.
    assert.throws(() => owned.firmware.write('db', update), /openssl/);
    const stranger = await Owned.make(t);
    assert.throws(() => stranger.firmware.write('db', update, 'append'), /openssl/);
  });

  test('a second run leaves keys and update as they are', async (t) => {
    const machine = aMachine(t);
    const owned = new Owned(machine, await aKeyDirectory(machine));
    await owned.makeNext();
    await owned.enrollNext();
    const update = owned.addition();
    const again = await owned.makeNext();
    assert.deepEqual([again.status, again.error?.code], [3, 'KEYS_EXIST']);
    assert.match((await owned.enrollNext()).output, /nothing to do/);
    assert.deepEqual(owned.addition(), update);
    fs.writeFileSync(owned.key('db.next/db.auth'), update.subarray(0, 100));
    assert.match((await owned.enrollNext()).output, /written/);
  });

  test('the write that takes the old certificate out is later than the one that added the new', {
    skip,
  }, async (t) => {
    const owned = await Owned.make(t);
    await owned.makeNext();
    await owned.enrollNext();
    const future = Buffer.from(owned.addition());
    future.writeUInt16LE(2098, 0);
    fs.writeFileSync(owned.key('db.next/db.auth'), future);
    owned.move();
    await owned.enroll();
    const { time } = parseAuthenticatedWrite(future);
    for (const name of KEY_NAMES)
      assert.equal(parseAuthenticatedWrite(owned.set(name)).time, time + 1);
  });

  test('status shows the next key and says on one line what to do', async (t) => {
    const machine = aMachine(t);
    const owned = new Owned(machine, await aKeyDirectory(machine));
    await owned.makeNext();
    const { output } = await owned.run('keys', 'status', owned.directory, ...owned.esp());
    assert.match(output, /^db +Database Key .* db\.next$/m);
    assert.match(output, /^rotation: made; next: espalier keys enroll --next$/m);
  });

  test('there is no next key without a present one', async (t) => {
    const machine = aMachine(t);
    const { status, error } = await new Owned(machine, join(machine.root, 'none')).makeNext();
    assert.deepEqual([status, error?.code], [2, 'KEY_INVALID']);
  });
});
