/** What a program costs, as the kernel counts it. Needs Linux and nothing installed. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** A program to run. It sees no other environment than this. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What commands took, one after the other. Seconds and bytes. */
export interface Cost {
  readonly wall: number;
  /** User and system time of all processes. The kernel tells it in hundredths: a mean of runs tells more. */
  readonly cpu: number;
  /** What was asked of the kernel, whether it came from a disk or from memory. */
  readonly read: number;
  readonly written: number;
}

/** Runs commands in order and returns what they cost together. @throws {Error} when one fails */
export function measure(commands: readonly Command[]): Cost {
  const before = { ...childrenCpu(), ...inputOutput() };
  const start = performance.now();
  const results = commands.map((command) => ({ command, result: spawned(command) }));
  const wall = (performance.now() - start) / 1000;
  const after = { ...childrenCpu(), ...inputOutput() };
  for (const { command, result } of results) requireSuccess(command, result);
  return {
    wall,
    cpu: after.cpu - before.cpu,
    read: after.read - before.read,
    written: after.written - before.written,
  };
}

/** Runs a command that is not measured. @throws {Error} when it fails */
export function run(command: Command): void {
  requireSuccess(command, spawned(command));
}

function spawned({ program, args, environment }: Command): SpawnSyncReturns<string> {
  return spawnSync(program, args, {
    encoding: 'utf8',
    env: environmentOf(environment),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

function environmentOf(own: Command['environment']): Record<string, string> {
  return { PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, LC_ALL: 'C', ...own };
}

/** What is shown of the messages of a program that failed. */
const LAST_LINES = 10;

function requireSuccess({ program, args }: Command, result: SpawnSyncReturns<string>): void {
  if (result.error) throw result.error;
  if (result.status === 0) return;
  const shown = [program, ...args.slice(0, 2)].join(' ');
  const said = result.stderr
    .trim()
    .split(/[\r\n]/)
    .slice(-LAST_LINES)
    .join('\n');
  throw new Error(`${shown} … ended with ${result.status}: ${said}`);
}

/** The kernel's hundredths of a second, which every Linux shows to programs. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of all processes that this one started and that have ended: proc_pid_stat(5), cutime and cstime. */
function childrenCpu(): { cpu: number } {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { cpu: (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND };
}

/** Bytes of this process and those it started that have ended: proc_pid_io(5). */
function inputOutput(): { read: number; written: number } {
  const text = readFileSync('/proc/self/io', 'latin1');
  return { read: field(text, 'rchar'), written: field(text, 'wchar') };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

/** The largest of the processes that commands start, in bytes, and how many there are. */
export interface Anatomy {
  readonly peak: number;
  readonly processes: number;
}

/**
 * Runs commands in order and watches their processes. The kernel remembers the peak of each, so that
 * looking often enough is only a matter of looking once before it ends; one that lives for less than
 * a millisecond may be missed. Watching costs CPU: nothing else can be measured meanwhile.
 */
export async function watch(commands: readonly Command[]): Promise<Anatomy> {
  const peaks = new Map<string, number>();
  for (const { program, args, environment } of commands) {
    const child = spawn(program, args, { env: environmentOf(environment), stdio: 'ignore' });
    let ended = false;
    const status = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', resolve);
    }).finally(() => {
      ended = true;
    });
    while (!ended && child.pid !== undefined) {
      look(String(child.pid), peaks);
      await setImmediate();
    }
    const code = await status;
    if (code !== 0) throw new Error(`${program} ended with ${code}`);
  }
  return { peak: Math.max(...peaks.values()), processes: peaks.size };
}

/** Notes the peak of a process and of all that descend from it. */
function look(id: string, peaks: Map<string, number>): void {
  const peak = field(tryRead(`/proc/${id}/status`), 'VmHWM') * 1024;
  // One that has ended and is not yet buried has no memory any more.
  if (peak > 0) peaks.set(id, Math.max(peak, peaks.get(id) ?? 0));
  for (const thread of tryList(`/proc/${id}/task`)) {
    const children = tryRead(`/proc/${id}/task/${thread}/children`).split(' ');
    for (const child of children) if (child !== '') look(child, peaks);
  }
}

function tryRead(path: string): string {
  return ifAlive(() => readFileSync(path, 'latin1')) ?? '';
}

function tryList(path: string): readonly string[] {
  return ifAlive(() => readdirSync(path)) ?? [];
}

/** Returns undefined for what ended while it was being looked at. */
function ifAlive<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
