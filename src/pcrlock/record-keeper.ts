/** Keeps the records for systemd-pcrlock in line through a pass: a stage of its own, whose failure is a warning. */

import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import type { Target } from '../esp/target.ts';
import type { Plan } from '../plan/step.ts';
import type { Survey } from '../survey/surveyed.ts';
import { announce, isOverdue, overdueRecords, renewRecords } from './records.ts';

/** The records of one ESP. What it returns are warnings. */
export interface RecordKeeper {
  /** Looks without the lock; undefined when something is to be done. */
  settled(survey: Survey): Promise<readonly string[] | undefined>;
  /** Before the plan is carried out. */
  announce(plan: Plan): Promise<readonly string[]>;
  /** After it. */
  renew(survey: Survey): Promise<readonly string[]>;
}

/** Returns the keeper of the records in a directory, of what boots from a target. */
export function recordKeeper(target: Target, directory: string, context: Context): RecordKeeper {
  const recorded = { target, directory, context, made: new Map<string, string>() };
  return {
    async settled(survey) {
      try {
        const overdue = await overdueRecords(recorded, survey);
        return isOverdue(overdue) ? undefined : overdue.warnings;
      } catch (error) {
        // It may be another run's work in progress: under the lock it shows.
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

/** The ESP is in line all the same: what is not predicted costs a recovery key and no boot. */
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
