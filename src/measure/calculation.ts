/** Values of a register as `systemd-measure calculate` prints them. */
import type { Bank } from '../uki/pcr-bank.ts';
import { NO_PHASE } from '../uki/phase.ts';
import { KERNEL_BOOT } from './record.ts';

/** The value of a register in a bank. */
export interface Calculated {
  /** Absent for what the stub leaves, and for registers without phases. */
  readonly phase?: string;
  readonly pcr: number;
  readonly hash: string;
}

/** Returns the value of PCR 11 in a phase. */
export function calculatedIn(phase: string, hash: string): Calculated {
  return { ...(phase === NO_PHASE ? {} : { phase }), pcr: KERNEL_BOOT, hash };
}

/** Values by bank, in the order of the phases. */
export type Calculation = Readonly<Partial<Record<Bank, readonly Calculated[]>>>;

/** Returns the lines of `systemd-measure calculate`, with its headings as comments. */
export function formatCalculation(calculation: Calculation): string {
  const banks = Object.entries(calculation);
  const rows = (banks[0]?.[1] ?? []).map(({ pcr, phase }, index) => [
    `# PCR[${pcr}]${pcr === KERNEL_BOOT ? ` Phase <${phase ?? NO_PHASE}>` : ''}`,
    ...banks.map(([bank, values]) => `${pcr}:${bank}=${values[index]?.hash}`),
  ]);
  return rows.flat().join('\n');
}
