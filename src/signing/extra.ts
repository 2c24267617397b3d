/**
 * `[extra-sign]`: EFI programs of the running system, such as fwupd's, that `install` keeps signed.
 */

import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import { targetsOf } from '../esp/untrusted-source.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import { carryOut, realFile, type Task, taskFor } from './task.ts';

/** The programs to sign anew, and warnings about those that cannot be signed. */
export interface ExtraPrograms {
  readonly tasks: readonly Task[];
  readonly warnings: readonly string[];
}

/** Finds the programs of the settings whose signed file is missing or old. Touches nothing. */
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
      warnings.push(describeError(error));
    }
  }
  return { tasks, warnings };
}

/** The paths of the signed programs, and warnings about the others. */
export interface ExtraReport {
  readonly signed: readonly string[];
  readonly warnings: readonly string[];
}

/** Signs them one by one. A failure costs no other program and no entry. */
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
      failed.push(describeError(error));
    }
  }
  return { signed, warnings: [...warnings, ...failed] };
}

function describeError(error: unknown): string {
  if (error instanceof EspError) return `extra-sign: ${explain(error)}`;
  throw error;
}
