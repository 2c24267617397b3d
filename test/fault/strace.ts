/** Lets the kernel's own calls fail under strace, or kills the process at them: the program as it ships. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Scenario } from '../crash/scenario.ts';
import { onFileSystem, TMPFS, used } from './file-system.ts';
import { broken, isSame } from './judge.ts';
import type { Row, Sample } from './row.ts';
import { DONE, type Ended, play, reset, type Stage, setStage, treeOf } from './stage.ts';

/** A call that the program makes on the ESP. */
interface SystemCall {
  readonly name: string;
  /** The file on the ESP that it is made on. */
  readonly path: string;
  /** Which of the calls of this name on this file that its thread makes, from 1. */
  readonly when: number;
  /** How strace shows it. */
  readonly text: string;
}

/** What is done to a call: it fails with this error, or the process is killed at it. */
type Injection = SystemCall & { readonly as: `error=${string}` | 'signal=SIGKILL' };

/**
 * Lets system calls of one scenario fail, or be the last, and returns what that showed. `root` does not
 * exist yet; `program` is the program as one file. Needs strace, and root for a process namespace and
 * for a file system as small as the scenario wants it.
 */
export async function examineCalls(
  scenario: Scenario,
  root: string,
  program: string,
  sample: Sample,
): Promise<Row> {
  const stage = await setStage(scenario, root);
  const examine = () => examineStage(stage, program, sample);
  if (stage.free === undefined) return examine();
  return onFileSystem(stage, TMPFS, used(stage.pristine) + stage.free, examine);
}

async function examineStage(
  stage: Stage,
  program: string,
  { stride, offset }: Sample,
): Promise<Row> {
  const calls = callsOf(stage, program);
  const injections = injectionsOf(calls);
  const chosen = injections.filter((_, index) => index % stride === offset % stride);
  const findings: string[] = [];
  for (const injection of chosen) findings.push(...(await tryInjection(stage, injection, program)));
  return {
    scenario: stage.scenario.name,
    operations: calls.length,
    faults: chosen.length,
    findings,
  };
}

/** Which errors a call may well answer; one that is not listed is left alone. */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  openat: ['EIO', 'ENOSPC', 'EROFS', 'EACCES', 'EINTR'],
  mkdir: ['EIO', 'ENOSPC', 'EROFS'],
  write: ['EIO', 'ENOSPC', 'EINTR'],
  pwrite64: ['EIO', 'ENOSPC', 'EINTR'],
  copy_file_range: ['EIO', 'ENOSPC', 'EINTR'],
  sendfile: ['EIO', 'ENOSPC', 'EINTR'],
  ftruncate: ['EIO'],
  fchmod: ['EIO', 'EROFS', 'EPERM'],
  fsync: ['EIO', 'ENOSPC', 'EINTR'],
  rename: ['EIO', 'ENOSPC', 'EROFS'],
  unlink: ['EIO', 'EROFS'],
  close: ['EIO', 'EINTR'],
  read: ['EIO', 'EINTR'],
  pread64: ['EIO', 'EINTR'],
  getdents64: ['EIO'],
  statx: ['EIO', 'EACCES'],
  fstat: ['EIO'],
  stat: ['EIO', 'EACCES'],
  lstat: ['EIO', 'EACCES'],
  newfstatat: ['EIO', 'EACCES'],
  statfs: ['EIO'],
};

/** Returns every call that the action of a scenario makes on the ESP. */
function callsOf(stage: Stage, program: string): readonly SystemCall[] {
  reset(stage);
  const log = join(stage.world.root, 'strace.log');
  const ended = strace(stage, program, ['-y', '-s', '4096', '-o', log]);
  if (!DONE.includes(ended.status)) throw new Error(`strace: ${ended.message}`);
  const counts = new Map<string, number>();
  const calls = new Map<string, SystemCall>();
  const onEsp = new RegExp(`["<](${stage.world.esp.replaceAll('.', '\\.')}(?:/[^">]*)?)[">]`);
  for (const text of fs.readFileSync(log, 'utf8').split('\n')) {
    const [, thread, name = ''] = /^(\d+) +(\w+)\(/.exec(text) ?? [];
    const [, path] = onEsp.exec(text) ?? [];
    if (path === undefined || !(name in ERRORS)) continue;
    const key = `${name} ${path}`;
    const when = (counts.get(`${thread} ${key}`) ?? 0) + 1;
    counts.set(`${thread} ${key}`, when);
    calls.set(`${key} ${when}`, { name, path, when, text: text.slice(0, 200) });
  }
  return [...calls.values()];
}

/** Returns everything that can be done to calls. */
function injectionsOf(calls: readonly SystemCall[]): readonly Injection[] {
  return calls.flatMap((call): Injection[] => [
    { ...call, as: 'signal=SIGKILL' },
    ...(ERRORS[call.name] ?? []).map((error): Injection => ({ ...call, as: `error=${error}` })),
  ]);
}

/** Tries one injection and returns what is wrong afterwards, and after the run that heals. */
async function tryInjection(
  stage: Stage,
  injection: Injection,
  program: string,
): Promise<readonly string[]> {
  reset(stage);
  const { name, path, when, as, text } = injection;
  const inject = `inject=${name}:${as}:when=${when}`;
  const log = join(stage.world.root, 'strace.log');
  const ended = strace(stage, program, ['-P', path, '-e', inject, '-o', log]);
  const reached = ended.status === undefined || fs.readFileSync(log, 'utf8').includes('INJECTED');
  const now = treeOf(stage.world.esp);
  const where = `${stage.scenario.name}: ${as} at ${text}: status ${ended.status} (${ended.message})`;
  const wrong = broken({ stage, ended, now }).map((promise) => `${where}: ${promise}`);
  const healed = await play(stage);
  const isHealed = isSame(treeOf(stage.world.esp), stage.right) && DONE.includes(healed.status);
  return [
    ...wrong,
    ...(isHealed ? [] : [`${where}: the next run heals it; ${healed.message}`]),
    ...(reached ? [] : [`${where}: the call was never made`]),
  ];
}

/** A process ID of its own, so that temporary files have the same names in every run. */
const NAMESPACE = ['--pid', '--fork', '--kill-child', '--mount-proc'];

/** One thread for what Node does in the background: what a call is counted by is then always the same. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' };

function strace({ scenario, world }: Stage, program: string, args: readonly string[]): Ended {
  const verb = [...scenario.action(world), ...world.onDirectory(), '--quiet'];
  const traced = Object.keys(ERRORS).join(',');
  const { status, signal, stderr } = spawnSync(
    'unshare',
    [
      ...[...NAMESPACE, 'strace'],
      ...['-f', '-e', 'signal=none', '-e', `trace=?${traced.replaceAll(',', ',?')}`],
      ...[...args, process.execPath, program, ...verb],
    ],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        ...ONE_THREAD,
        XDG_RUNTIME_DIR: world.root,
        ESPALIER_EFIVARS: join(world.root, 'efivars'),
      },
    },
  );
  return {
    status: signal === null && status !== 137 ? (status ?? 70) : undefined,
    message: stderr.trim(),
  };
}
