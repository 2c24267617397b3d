/** Whether firmware starts a PE file: one question for kernels, stubs, loaders and images. Pure. */
import type { Pe } from './pe.ts';
import { sectionFindings } from './section-findings.ts';

/** What UEFI loads of the subsystems of PE files (PE/COFF §Windows Subsystem). */
const APPLICATION = 10;
const DRIVERS: readonly number[] = [11, 12];

/**
 * Says why firmware does not start a program, or nothing where it does.
 * @param processor PE/COFF machine number of the processor that is to start it
 * @param takesDrivers whether a driver of firmware is meant as well as an application
 */
export function startFault(pe: Pe, processor: number, takesDrivers = false): string | undefined {
  const { machine, subsystem } = pe;
  const other = otherProcessor(machine, processor);
  if (other !== undefined) return other;
  const isKnown = subsystem === APPLICATION || (takesDrivers && DRIVERS.includes(subsystem));
  if (isKnown) return sectionFindings(pe)[0];
  return `it is no EFI application: expected subsystem ${APPLICATION}, got ${subsystem}`;
}

/** Says that a program is for another processor than the one that is to start it. */
export function otherProcessor(got: number, expected: number): string | undefined {
  if (got === expected) return undefined;
  return `it is for another processor: expected machine ${hex(expected)}, got ${hex(got)}`;
}

function hex(machine: number): string {
  return `0x${machine.toString(16).padStart(4, '0')}`;
}
