/** Lets every operation on the Disk port fail in turn, and judges what each failure leaves. */
import { type Failure, type Fault, failingDisk, type Side } from './failing-disk.ts';
import { broken, isSame } from './judge.ts';
import { DONE, play, reset, type Stage, treeOf } from './stage.ts';

/** What was tried on one scenario, and what was wrong. */
export interface Findings {
  readonly scenario: string;
  /** How many operations an undisturbed run makes. */
  readonly operations: number;
  /** How many failures were tried. */
  readonly faults: number;
  readonly findings: readonly string[];
}

const FAULTS: Readonly<Record<Side, readonly Fault[]>> = {
  writing: ['EIO', 'ENOSPC', 'EROFS', 'EINTR', 'EACCES', 'short'],
  reading: ['EIO', 'EINTR', 'EACCES'],
};

/** Returns every failure of a scenario's operations, once each and from there on. */
export async function failuresOf(stage: Stage): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  for (const side of ['writing', 'reading'] as const) {
    const calls = await operationsOf(stage, side);
    for (const [at, call] of calls.entries()) {
      const faults = FAULTS[side].filter((fault) => fault !== 'short' || PARTIAL.test(call));
      for (const fault of faults) {
        failures.push({ side, at, fault, lasting: false }, { side, at, fault, lasting: true });
      }
    }
  }
  return failures;
}

/** Operations that may be done in part. */
const PARTIAL = /^(write|write at|copy) /;

/** Returns what an undisturbed run asks of the disk. */
export async function operationsOf(stage: Stage, side: Side): Promise<readonly string[]> {
  reset(stage);
  let calls: readonly string[] = [];
  await play(stage, (disk) => {
    const counting = failingDisk(disk, { side, at: -1, fault: 'EIO', lasting: false });
    calls = counting.calls;
    return counting.disk;
  });
  return calls;
}

/** Tries one failure and returns what is wrong afterwards, and after the run that heals. */
export async function tryFailure(stage: Stage, failure: Failure): Promise<readonly string[]> {
  reset(stage);
  let calls: readonly string[] = [];
  const ended = await play(stage, (disk) => {
    const failing = failingDisk(disk, failure);
    calls = failing.calls;
    return failing.disk;
  });
  const now = treeOf(stage.world.esp);
  const where = `${stage.scenario.name}: ${failure.fault}${failure.lasting ? ' from' : ' at'} ${failure.side} ${failure.at} (${calls[failure.at]}), status ${ended.status} (${ended.message})`;
  const wrong = broken({ stage, ended, now }).map((promise) => `${where}: ${promise}`);
  const healed = await play(stage);
  const isHealed = isSame(treeOf(stage.world.esp), stage.right) && DONE.includes(healed.status);
  return isHealed
    ? wrong
    : [...wrong, `${where}: the next run heals it; status ${healed.status} ${healed.message}`];
}
