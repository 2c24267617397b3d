import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { processContext } from '../../src/command/process-context.ts';
import { EspError } from '../../src/error.ts';
import type { SecretsRunner } from '../../src/generation/initrd-secrets.ts';
import { type SecretsBounds, secretsRunner } from '../../src/survey/initrd-secrets-runner.ts';
import { aRoot } from './a-generation.ts';

const context = processContext(new URL(import.meta.url));
/** The real runner is what the port asks for. */
const runner: SecretsRunner = context.runSecrets ?? assert.fail();

const appendInitrdSecrets = (workshop: Workshop, bounds?: SecretsBounds) =>
  secretsRunner(context, bounds)(workshop);

interface Workshop {
  readonly program: string;
  readonly initrd: string;
  /** Where private directories are made. */
  readonly directory: string;
}

/** Makes an initrd of six bytes and a program of this shell text. */
function aWorkshop(t: TestContext, script: string): Workshop {
  const root = aRoot(t);
  const initrd = join(root, 'initrd');
  fs.writeFileSync(initrd, 'INITRD', { mode: 0o444 });
  const program = join(root, 'append-initrd-secrets');
  fs.writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o555 });
  const directory = join(root, 'run');
  fs.mkdirSync(directory);
  return { program, initrd, directory };
}

/** The failure of a program; its private directory must be gone. */
async function failureOf(workshop: Workshop, bounds?: SecretsBounds): Promise<EspError> {
  const error = await appendInitrdSecrets(workshop, bounds).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EspError, String(error));
  assert.equal(error.code, 'INITRD_SECRETS_FAILED');
  assert.ok(error.message.includes(workshop.program));
  assert.deepEqual(fs.readdirSync(workshop.directory), []);
  return error;
}

test('a program appends to a private copy, and the initrd stays as it is', async (t) => {
  const workshop = aWorkshop(t, 'test $# = 1 && printf SECRET >> "$1"');
  const { path, size, remove } = await runner(workshop);
  assert.equal(fs.readFileSync(path, 'utf8'), 'INITRDSECRET');
  assert.equal(size, 12);
  assert.equal(fs.statSync(path).mode & 0o777, 0o600);
  assert.equal(fs.statSync(dirname(path)).mode & 0o777, 0o700);
  assert.equal(fs.readFileSync(workshop.initrd, 'utf8'), 'INITRD');
  remove();
  assert.deepEqual(fs.readdirSync(workshop.directory), []);
  remove();
});

test('a program that has nothing to append leaves the initrd as it was', async (t) => {
  const { size, remove } = await appendInitrdSecrets(aWorkshop(t, 'exit 0'));
  assert.equal(size, 6);
  remove();
});

test('a cpio archive appended by a real program can be unpacked', async (t) => {
  if (spawnSync('cpio', ['--version']).error) return t.skip('needs cpio');
  const workshop = aWorkshop(
    t,
    'mkdir "$TMPDIR/s" && cd "$TMPDIR/s" && echo key > disk.key && echo disk.key | cpio -o -H newc --quiet >> "$1"',
  );
  const { path, remove } = await appendInitrdSecrets(workshop);
  const archive = fs.readFileSync(path).subarray(6);
  const listed = spawnSync('cpio', ['-t', '--quiet'], { input: archive, encoding: 'utf8' });
  assert.equal(listed.stdout, 'disk.key\n');
  remove();
});

test('a program sees no variables but the few it needs', async (t) => {
  const workshop = aWorkshop(t, 'env >> "$1"; pwd >> "$1"');
  process.env['ESPALIER_TEST_PIN'] = '1234';
  t.after(() => delete process.env['ESPALIER_TEST_PIN']);
  const { path, remove } = await appendInitrdSecrets(workshop);
  const text = fs.readFileSync(path, 'utf8');
  assert.doesNotMatch(text, /1234/);
  assert.match(text, /PATH=/);
  assert.ok(text.includes(`TMPDIR=${dirname(path)}\n`));
  assert.ok(text.endsWith(`${dirname(path)}\n`));
  remove();
});

test('a program that fails is told with its status and its last words', async (t) => {
  const script =
    'for n in 1 2 3 4 5 6 7; do echo "line $n" >&2; done; printf "\\033[2Jbad\\n" >&2; exit 3';
  const { message } = await failureOf(aWorkshop(t, script));
  assert.match(message, /ended with status 3: line 4 \/ line 5 \/ line 6 \/ line 7 \/ \[2Jbad$/);
});

test('a program that is killed is told with the signal', async (t) => {
  assert.match((await failureOf(aWorkshop(t, 'kill -TERM $$'))).message, /was ended by SIGTERM$/);
});

test('endless words of a program cost no more than their end', async (t) => {
  const workshop = aWorkshop(t, 'head -c 3000000 /dev/zero | tr "\\0" x >&2; exit 1');
  const { message } = await failureOf(workshop);
  assert.ok(message.length < 5000);
});

test('a program that is missing or no program is told so', async (t) => {
  const workshop = aWorkshop(t, '');
  const absent = { ...workshop, program: `${workshop.program}-absent` };
  assert.match((await failureOf(absent)).message, /cannot be run: there is no such program/);
  const text = { ...workshop, program: workshop.initrd };
  assert.match((await failureOf(text)).message, /cannot be run: it may not be executed$/);
});

test('an initrd that is missing is no fault of the program', async (t) => {
  const workshop = aWorkshop(t, 'exit 0');
  await assert.rejects(appendInitrdSecrets({ ...workshop, initrd: '/nonexistent' }), {
    code: 'IO',
    message: `cannot copy /nonexistent into ${workshop.directory}: ENOENT`,
  });
  assert.deepEqual(fs.readdirSync(workshop.directory), []);
});

test('a program that hangs is stopped, and its children with it', async (t) => {
  const workshop = aWorkshop(t, 'sleep 1000 & echo $! > "$0.pid"; wait');
  const { message } = await failureOf(workshop, { timeout: 1 });
  assert.match(message, /was stopped: it ran longer than 1 seconds/);
  await gone(Number(fs.readFileSync(`${workshop.program}.pid`, 'utf8')));
});

test('what a program leaves running is stopped before its result counts', async (t) => {
  const workshop = aWorkshop(t, 'sleep 1000 & echo $! > "$0.pid"; printf S >> "$1"');
  const { size, remove } = await appendInitrdSecrets(workshop);
  assert.equal(size, 7);
  remove();
  await gone(Number(fs.readFileSync(`${workshop.program}.pid`, 'utf8')));
});

test('a daemon that keeps stderr open is not waited for', async (t) => {
  if (spawnSync('setsid', ['--version']).error) return t.skip('needs setsid');
  const workshop = aWorkshop(
    t,
    `setsid sh -c 'echo $$ > "$0.pid"; exec sleep 1000' "$0" &
    until test -s "$0.pid"; do sleep 0.01; done; printf S >> "$1"`,
  );
  const { size, remove } = await appendInitrdSecrets(workshop);
  const daemon = Number(fs.readFileSync(`${workshop.program}.pid`, 'utf8'));
  t.after(() => process.kill(daemon, 'SIGKILL'));
  assert.equal(size, 7);
  remove();
});

test('a program that writes without end is stopped', async (t) => {
  const workshop = aWorkshop(t, 'while :; do head -c 65536 /dev/zero >> "$1"; sleep 0.01; done');
  const { message } = await failureOf(workshop, { growth: 100_000 });
  assert.match(message, /was stopped: it made the initrd larger than 100006 bytes \(97\.7 KiB\)$/);
});

test('a result that is too large is refused even when the program was quick', async (t) => {
  const workshop = aWorkshop(t, 'printf 12345 >> "$1"');
  const { message } = await failureOf(workshop, { growth: 4 });
  assert.match(message, /larger than 10 bytes$/);
});

test('a program that leaves something else than a longer initrd is refused', async (t) => {
  const leaves = async (script: string) => (await failureOf(aWorkshop(t, script))).message;
  assert.match(await leaves('rm "$1"'), /expected it to leave a regular file, got none$/);
  assert.match(
    await leaves('ln -sf /etc/passwd "$1"'),
    /expected it to leave a regular file, got none$/,
  );
  assert.match(await leaves('printf S > "$1"'), /expected it to append to 6 bytes, got only 1$/);
});

/** Waits until no process has this id; the runner of the tests stops a test that waits for ever. */
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A zombie is not alive: where nobody reaps orphans it stays for ever. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return fs.existsSync(path) && !/^\d+ \(.*\) Z/s.test(fs.readFileSync(path, 'utf8'));
}

/** The number of a process that is no more. */
function aDeadProcess(): number {
  return spawnSync('true').pid;
}

test('what a killed run left in the directory is removed by the next, and nothing else', async (t) => {
  const workshop = aWorkshop(t, 'exit 0');
  const mine = await appendInitrdSecrets(workshop);
  const [own = ''] = fs.readdirSync(workshop.directory);
  const dead = own.replace(`-${process.pid}-`, `-${aDeadProcess()}-`);
  const stays = [
    own.replace(/-\d+-/, '-1-'), // in another table of processes
    dead.replace('espalier', 'else'),
    `${dead}.old`,
  ];
  for (const name of [dead, ...stays]) fs.mkdirSync(join(workshop.directory, name));
  fs.writeFileSync(join(workshop.directory, dead, 'initrd'), 'secret');
  const treasure = join(dirname(workshop.directory), 'treasure');
  fs.mkdirSync(treasure);
  fs.writeFileSync(join(treasure, 'gold'), '');
  const link = dead.replace(/.{6}$/, 'linked');
  fs.symlinkSync(treasure, join(workshop.directory, link));

  const next = await appendInitrdSecrets(workshop);
  next.remove();
  assert.deepEqual(fs.readdirSync(workshop.directory).sort(), [own, link, ...stays].sort());
  assert.ok(fs.existsSync(join(treasure, 'gold')));
  mine.remove();
});

test('a run that is killed while the program runs leaves what the next one removes', async (t) => {
  const workshop = aWorkshop(t, 'exit 0');
  const slow = join(dirname(workshop.directory), 'slow');
  fs.writeFileSync(slow, '#!/bin/sh\nkill -9 $PPID\n', { mode: 0o555 });
  const module = new URL('../../src/command/process-context.ts', import.meta.url);
  const request = JSON.stringify({ ...workshop, program: slow });
  const script = `import { processContext } from '${module}'; await processContext(new URL('${module}')).runSecrets(${request});`;
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '--eval', script]);
  assert.equal(signal, 'SIGKILL');
  assert.equal(fs.readdirSync(workshop.directory).length, 1);
  (await appendInitrdSecrets(workshop)).remove();
  assert.deepEqual(fs.readdirSync(workshop.directory), []);
});
