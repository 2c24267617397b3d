/** What a verb makes an image with: progress on the terminal, and warnings that are told at the end. */
import type { Context } from '../context.ts';
import { EXIT_WARNINGS } from '../error.ts';
import type { RunMeans } from '../image/run-job.ts';
import type { Invocation } from '../settings/invocation.ts';
import { startProgress } from '../terminal/progress.ts';

/** Makes an image, prints what `make` returns, and tells warnings. Returns the exit status. */
export async function makeWith(
  { json, verbosity }: Pick<Invocation, 'json' | 'verbosity'>,
  context: Context,
  make: (means: RunMeans) => Promise<string>,
): Promise<number> {
  const log = async () => (await import('../terminal/log.ts')).openLog(verbosity);
  const progress = startProgress(json || verbosity !== 0);
  const warnings: string[] = [];
  const warn = (warning: string) => void warnings.push(warning);
  try {
    context.print(await make({ context, log, say: progress.say, warn }));
  } finally {
    progress.stop();
  }
  for (const warning of warnings) (await log()).warn(warning);
  return warnings.length > 0 ? EXIT_WARNINGS : 0;
}
