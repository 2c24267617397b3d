/** What a verb makes an image with: a log, and warnings that are told at the end. */
import type { Context } from '../context.ts';
import { EXIT_WARNINGS } from '../error.ts';
import type { RunMeans } from '../image/run-job.ts';
import type { Text } from '../process/styled-text.ts';

/** Makes an image, prints what `make` returns, and tells warnings. Returns the exit status. */
export async function makeWith(
  verbosity: number,
  context: Context,
  make: (means: RunMeans) => Promise<Text>,
): Promise<number> {
  const log = async () => (await import('../terminal/log.ts')).openLog(verbosity);
  const warnings: string[] = [];
  const warn = (warning: string) => void warnings.push(warning);
  context.print(await make({ context, log, warn }));
  for (const warning of warnings) (await log()).warn(warning);
  return warnings.length > 0 ? EXIT_WARNINGS : 0;
}
