/** Whether firmware starts a PE file: one question for kernels, stubs, loaders and images. Pure. */
import type { Pe } from './pe.ts';

/** What UEFI loads of the subsystems of PE files (PE/COFF §Windows Subsystem). */
const APPLICATION = 10;
const DRIVERS: readonly number[] = [11, 12];

/**
 * Says why firmware does not start a program, or nothing where it does.
 * @param processor PE/COFF machine number of the processor that is to start it
 * @param takesDrivers whether a driver of firmware is meant as well as an application
 */
export function startFault(
  { machine, subsystem }: Pick<Pe, 'machine' | 'subsystem'>,
  processor: number,
  takesDrivers = false,
): string | undefined {
  if (machine !== processor) {
    return `it is for another processor: expected machine ${hex(processor)}, got ${hex(machine)}`;
  }
  if (subsystem === APPLICATION || (takesDrivers && DRIVERS.includes(subsystem))) return undefined;
  return `it is no EFI application: expected subsystem ${APPLICATION}, got ${subsystem}`;
}

function hex(machine: number): string {
  return `0x${machine.toString(16).padStart(4, '0')}`;
}
