/** Lets every operation on the Disk port fail in turn, and judges what each failure leaves. */
import type { Scenario } from '../crash/scenario.ts';
import { type Failure, type Fault, failingDisk, type Side } from './failing-disk.ts';
import { broken, isSame } from './judge.ts';
import type { Row, Sample } from './row.ts';
import { DONE, play, reset, type Stage, setStage, treeOf } from './stage.ts';

/** Lets operations of one scenario fail, and returns what that showed. `root` does not exist yet. */
export async function examineOperations(
  scenario: Scenario,
  root: string,
  { stride, offset }: Sample,
): Promise<Row> {
  const stage = await setStage(scenario, root);
  const failures = await failuresOf(stage);
  const chosen = failures.filter((_, index) => index % stride === offset % stride);
  const findings: string[] = [];
  for (const failure of chosen) findings.push(...(await tryFailure(stage, failure)));
  const operations = new Set(failures.map(({ side, at }) => `${side} ${at}`)).size;
  return { scenario: scenario.name, operations, faults: chosen.length, findings };
}

const FAULTS: Readonly<Record<Side, readonly Fault[]>> = {
  writing: ['EIO', 'ENOSPC', 'EROFS', 'EINTR', 'EACCES', 'short'],
  reading: ['EIO', 'EINTR', 'EACCES'],
};

/** Returns every failure of a scenario's operations, once each and from there on. */
async function failuresOf(stage: Stage): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  for (const side of ['writing', 'reading'] as const) {
    const calls = await operationsOf(stage, side);
    for (const [at, call] of calls.entries()) {
      if (NOT_TOLD.test(call)) continue;
      const faults = FAULTS[side].filter((fault) => fault !== 'short' || PARTIAL.test(call));
      for (const fault of faults) {
        failures.push({ side, at, fault, lasting: false }, { side, at, fault, lasting: true });
      }
    }
  }
  return failures;
}

/** Where firmware cannot read its own variable, nobody tells which loader ran: then another end is right. */
const NOT_TOLD = /\/LoaderInfo-/;

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
async function tryFailure(stage: Stage, failure: Failure): Promise<readonly string[]> {
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
