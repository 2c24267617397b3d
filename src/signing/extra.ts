/** `[extra-sign]`: EFI programs of the running system, such as fwupd's, that `install` keeps signed. */

import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import { targetsOf } from '../esp/untrusted-source.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import { carryOut, realFile, type Task, taskFor } from './task.ts';

/** The programs that are to be signed anew, and what keeps others from being signed. */
export interface ExtraPrograms {
  readonly tasks: readonly Task[];
  readonly warnings: readonly string[];
}

/** Looks which programs of the settings are not there as they should be, signed. Touches nothing. */
export function extraPrograms(
  settings: Settings,
  signer: Signer,
  { disk }: Context,
): ExtraPrograms {
  const tasks: Task[] = [];
  const warnings: string[] = [];
  const targets = targetsOf(settings);
  for (const [file, output] of Object.entries(settings['extra-sign'])) {
    try {
      const task = taskFor(realFile(file, disk), output, { signer, targets }, disk);
      if (!task.isDone) tasks.push(task);
    } catch (error) {
      warnings.push(describe(error));
    }
  }
  return { tasks, warnings };
}

/** The paths of what was signed, and what kept others from being signed. */
export interface ExtraReport {
  readonly signed: readonly string[];
  readonly warnings: readonly string[];
}

/** Signs them, one by one: one that fails costs no other, and no entry. */
export async function signExtras(
  { tasks, warnings }: ExtraPrograms,
  signer: Signer,
  context: Context,
): Promise<ExtraReport> {
  const signed: string[] = [];
  const failed: string[] = [];
  for (const task of tasks) {
    try {
      await carryOut([task], signer, context);
      signed.push(task.output);
    } catch (error) {
      failed.push(describe(error));
    }
  }
  return { signed, warnings: [...warnings, ...failed] };
}

function describe(error: unknown): string {
  if (error instanceof EspError) return `extra-sign: ${explain(error)}`;
  throw error;
}
