/** What `uki build` tells of an image that it wrote. */

import type { Context } from '../context.ts';
import { EXIT_WARNINGS } from '../error.ts';
import { type Calculation, calculatedIn, formatCalculation } from '../measure/calculation.ts';
import { exactSize } from '../quantity.ts';
import type { Invocation } from '../settings/invocation.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import type { Bank } from '../uki/pcr-bank.ts';
import { formatPolicies } from '../uki/pcrsig.ts';
import type { MadePolicies } from '../ukify/policies.ts';

/** An image that was written. Size in bytes. */
interface Built {
  readonly size: number;
  readonly policies?: MadePolicies | undefined;
}

interface Reported extends Built {
  readonly output: string;
  readonly signer: Signer;
  readonly warnings: readonly string[];
}

/** Prints what was built, and returns the exit status. */
export async function report(
  { output, size, signer, warnings, policies = NOTHING }: Reported,
  { json, verbosity }: Pick<Invocation, 'json' | 'verbosity'>,
  { print }: Context,
): Promise<number> {
  const certificate = isUnsigned(signer) ? null : signer.fingerprint;
  const { toSign, banks } = policies;
  const values = policies.values.map((reached) => calculationOf(reached, banks));
  if (json) {
    const done = {
      ...{ output, size, certificate },
      ...(values.length > 0 && { values }),
      ...(toSign && { policies: toSign }),
      ...(warnings.length > 0 && { warnings }),
    };
    print(JSON.stringify({ version: 1, verb: 'uki build', ...done }, undefined, 2));
  } else {
    for (const calculation of values) print(formatCalculation(calculation));
    // Whoever asks for what has to be signed hands the output on as it is.
    const done = `${output}: ${exactSize(size)}, ${certificate === null ? 'not signed' : 'signed'}`;
    print(toSign ? formatPolicies(toSign) : done);
  }
  if (warnings.length === 0) return 0;
  const log = (await import('../terminal/log.ts')).openLog(verbosity);
  for (const warning of warnings) log.warn(warning);
  return EXIT_WARNINGS;
}

const NOTHING: MadePolicies = { texts: [], toSign: undefined, banks: [], values: [] };

function calculationOf(
  reached: MadePolicies['values'][number],
  banks: readonly Bank[],
): Calculation {
  return Object.fromEntries(
    banks.map((bank) => [
      bank,
      reached.map(({ phase, value }) => calculatedIn(phase, value[bank])),
    ]),
  );
}
