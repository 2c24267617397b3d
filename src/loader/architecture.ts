/** The names of each processor in Nix, EFI and PE/COFF. */
import { EspError } from '../error.ts';

/** One processor's names. `machine` is the PE/COFF machine number. */
export interface Architecture {
  /** The suffix that EFI uses, such as `x64`. */
  readonly efi: string;
  readonly machine: number;
  /** `systemd-boot<arch>.efi`: the name in `EFI/systemd` and in systemd's own directory. */
  readonly loader: string;
  /** `BOOT<ARCH>.EFI`: the file that firmware starts when nothing else is set (UEFI §3.5.1.1). */
  readonly fallback: string;
  /** `systemd-boot-fallback<arch>.efi`: bootctl's name, in `EFI/systemd`, of the loader before this one. */
  readonly previous: string;
  /** `linux<arch>.efi.stub`: systemd's stub. */
  readonly stub: string;
}

/** EFI's names, by the first part of a Nix system double. */
const processors: Readonly<Record<string, readonly [efi: string, machine: number]>> = {
  x86_64: ['x64', 0x8664],
  i686: ['ia32', 0x014c],
  aarch64: ['aa64', 0xaa64],
  armv7l: ['arm', 0x01c2],
  riscv64: ['riscv64', 0x5064],
  riscv32: ['riscv32', 0x5032],
  loongarch64: ['loongarch64', 0x6264],
};

/**
 * Returns the names for a Nix system double such as `x86_64-linux`.
 * @throws {BOOTSPEC_UNSUPPORTED} when it is not Linux on a processor that EFI knows
 */
export function architecture(system: string): Architecture {
  const [processor = '', kernel, ...rest] = system.split('-');
  const known = Object.hasOwn(processors, processor) ? processors[processor] : undefined;
  if (known === undefined || kernel !== 'linux' || rest.length > 0) {
    const systems = Object.keys(processors).map((name) => `${name}-linux`);
    throw new EspError(
      'BOOTSPEC_UNSUPPORTED',
      `system: expected one of ${systems.join(', ')}, got ${JSON.stringify(system.slice(0, 64))}`,
      { hint: 'boot entries are written for these systems only' },
    );
  }
  const [efi, machine] = known;
  return {
    efi,
    machine,
    loader: `systemd-boot${efi}.efi`,
    fallback: `BOOT${efi.toUpperCase()}.EFI`,
    previous: `systemd-boot-fallback${efi}.efi`,
    stub: `linux${efi}.efi.stub`,
  };
}

/** Returns EFI's name of a PE/COFF machine, or undefined for a machine without a loader. */
export function efiName(machine: number): string | undefined {
  return Object.values(processors).find(([, number]) => number === machine)?.[0];
}

/** Returns the system double of a PE/COFF machine, or undefined for one that EFI does not know. */
export function systemOf(machine: number): string | undefined {
  const found = Object.entries(processors).find(([, [, number]]) => number === machine);
  return found && `${found[0]}-linux`;
}

/** Nix's names of the architectures that Node runs on. */
const SYSTEMS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux',
  ia32: 'i686-linux',
  arm64: 'aarch64-linux',
  arm: 'armv7l-linux',
  riscv64: 'riscv64-linux',
  loong64: 'loongarch64-linux',
};

/**
 * Returns the names for a system, or for the machine that this program runs on.
 * @throws {BOOTSPEC_UNSUPPORTED}
 */
export function hostArchitecture(system = SYSTEMS[process.arch] ?? ''): Architecture {
  return architecture(system);
}
