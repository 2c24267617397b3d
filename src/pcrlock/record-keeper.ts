/** Keeps the records for systemd-pcrlock in line during a pass. A failure here is a warning. */

import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import type { Target } from '../esp/target.ts';
import type { Plan } from '../plan/step.ts';
import type { Survey } from '../survey/surveyed.ts';
import { announce, isOverdue, overdueRecords, renewRecords } from './records.ts';

/** Keeps the records of one ESP. Each method returns warnings. */
export interface RecordKeeper {
  /** Compares without the lock. Returns undefined when there is something to do. */
  settled(survey: Survey): Promise<readonly string[] | undefined>;
  /** Runs before the plan is carried out. */
  announce(plan: Plan): Promise<readonly string[]>;
  /** Runs after the plan. */
  renew(survey: Survey): Promise<readonly string[]>;
}

/** Returns the keeper of the records in a directory, for what boots from a target. */
export function recordKeeper(target: Target, directory: string, context: Context): RecordKeeper {
  const recorded = { target, directory, context, made: new Map<string, string>() };
  return {
    async settled(survey) {
      try {
        const overdue = await overdueRecords(recorded, survey);
        return isOverdue(overdue) ? undefined : overdue.warnings;
      } catch (error) {
        // The error may come from another run's unfinished work. The look under the lock decides.
        if (error instanceof EspError) return undefined;
        throw error;
      }
    },
    announce: (plan) =>
      warned(directory, async () => {
        await announce(recorded, plan);
        return [];
      }),
    renew: (survey) =>
      warned(directory, async () => {
        const overdue = await overdueRecords(recorded, survey);
        if (isOverdue(overdue)) await renewRecords(recorded, overdue);
        return overdue.warnings;
      }),
  };
}

/** Turns an error into a warning. A missing record costs a recovery key, and the machine boots. */
async function warned(
  directory: string,
  work: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return [`the records for systemd-pcrlock in ${directory} are not in line: ${explain(error)}`];
  }
}
