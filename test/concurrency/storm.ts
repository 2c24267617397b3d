/** Many runs of the program at once on one machine, some of them killed, while its profiles change. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../command/a-machine.ts';
import { usedBy } from '../support/used-by.ts';
import { after, type ProfileDirectory, type Profiles, type Step } from './moment.ts';

/** One process of a storm. Times in milliseconds. */
export interface Call {
  readonly verb: 'install' | 'gc' | 'repair' | 'watch';
  readonly limit: number;
  /** From the beginning of the storm. */
  readonly at: number;
  /** From its start to its end by SIGKILL; without it, it is left alone. */
  readonly killAfter?: number | undefined;
  /** Seconds that it waits for others. */
  readonly patience: number;
  /** It is given the ESPs in the other order. */
  readonly reversed: boolean;
}

/** What happens in a storm. */
export interface Storm {
  readonly calls: readonly Call[];
  /** The changes of the profiles, one after the other. */
  readonly steps: readonly { readonly at: number; readonly step: Step }[];
}

/** What became of a process. Times in milliseconds on one clock. */
export interface Ended {
  readonly call: Call;
  readonly started: number;
  readonly ended: number;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Profiles as they were for a time; a change takes a while, in which both moments overlap. */
export interface Moment {
  readonly profiles: Profiles;
  readonly from: number;
  readonly to: number;
}

/** Where a storm takes place. */
export interface Place {
  readonly machine: Machine;
  /** The program as one file. */
  readonly program: string;
  readonly profiles: ProfileDirectory;
  readonly esps: readonly string[];
  readonly format: 'uki' | 'type1';
}

/**
 * Lets a storm pass, and returns what became of its processes and of the profiles. Watchers are told to
 * end when all others are done and there is calm.
 */
export async function rage(
  { calls, steps }: Storm,
  before: Profiles,
  place: Place,
  calm: (profiles: Profiles) => Promise<void> = async () => {},
): Promise<{ ended: readonly Ended[]; moments: readonly Moment[] }> {
  const begin = performance.now();
  const until = (at: number) => sleep(Math.max(0, begin + at - performance.now()));
  const running = calls.map(async (call) => {
    await until(call.at);
    return start(call, place);
  });
  const moments: Moment[] = [];
  let [profiles, from] = [before, begin];
  for (const { at, step } of steps) {
    await until(at);
    const changing = performance.now();
    place.profiles.take(step);
    moments.push({ profiles, from, to: performance.now() });
    [profiles, from] = [after(profiles, step), changing];
  }
  moments.push({ profiles, from, to: Number.POSITIVE_INFINITY });
  const processes = await Promise.all(running);
  await Promise.all(processes.filter(({ call }) => call.verb !== 'watch').map(({ end }) => end));
  await calm(profiles);
  for (const { call, child } of processes) if (call.verb === 'watch') child.kill('SIGTERM');
  return { ended: await Promise.all(processes.map(({ end }) => end)), moments };
}

/** The arguments of a call in a place. */
export function argumentsOf(call: Pick<Call, 'verb' | 'limit' | 'reversed'>, place: Place) {
  const { machine, esps, format, profiles } = place;
  return [
    call.verb,
    ...(call.reversed ? esps.toReversed() : esps).flatMap((esp) => ['--esp', esp]),
    ...['--allow-directory', '--allow-unsigned', '--systemd', machine.systemd],
    ...['--booted', '/none', '--cache-dir', `${machine.root}/cache`],
    ...['--format', format, '--limit', String(call.limit), ...profiles.arguments()],
  ];
}

/** How long a process may take before the storm counts as one that never ends: milliseconds. */
export const FOREVER = 120_000;

function start(call: Call, place: Place): { call: Call; child: ChildProcess; end: Promise<Ended> } {
  const args = [...argumentsOf(call, place), '--lock-timeout', String(call.patience)];
  const timing = call.verb === 'watch' ? ['--debounce', '20', '--rescan', '1'] : [];
  const started = performance.now();
  const { NOTIFY_SOCKET: _socket, JOURNAL_STREAM: _stream, ...inherited } = process.env;
  const child = spawn(process.execPath, [place.program, ...usedBy(args), ...timing], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...inherited, ...place.machine.environment() },
    timeout: FOREVER,
    killSignal: 'SIGABRT',
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  if (call.killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), call.killAfter);
  const end = once(child, 'close').then(([status, signal]): Ended => {
    if (signal === 'SIGABRT') throw new Error(`${call.verb} did not end: ${stderr}`);
    return { call, started, ended: performance.now(), status, signal, stderr };
  });
  return { call, child, end };
}
