/** Files of EFI variables for virtual machines: keys of Secure Boot and boot entries, from the first start on. */
import type { Guid } from '../guid.ts';
import {
  bootVariableName,
  type FileOption,
  formatBootOption,
  formatBootOrder,
  parseBootOrder,
} from '../loader/boot-option.ts';
import { formatTime } from '../secureboot/efi-time.ts';
import {
  GLOBAL_VARIABLE,
  KEY_NAMES,
  type SignedVariable,
  vendorOf,
} from '../secureboot/key-variable.ts';
import { formatSignatureLists, type Signature } from '../secureboot/signature-list.ts';
import {
  NO_TIME,
  NON_VOLATILE,
  readVariables,
  type StoredVariable,
  TIME_AUTHENTICATED,
  withVariables,
} from '../secureboot/variable-store.ts';
import type { PerVariable } from '../signer/enrolment.ts';

/** What a file shall hold beside what is in the firmware's template. */
export interface VariableWishes {
  /** The keys that firmware trusts; without them Secure Boot stays as the template has it. */
  readonly signatures?: PerVariable<readonly Signature[]> | undefined;
  /** Signature lists of what firmware refuses. */
  readonly dbx?: Uint8Array | undefined;
  /** In the order in which firmware tries them, before those of the template. */
  readonly boot: readonly FileOption[];
  /** From when the keys are, in seconds since the epoch: a later change must have a later time. */
  readonly time: number;
}

/** Where EDK2 keeps whether Secure Boot is wanted (gEfiSecureBootEnableDisableGuid). */
const SECURE_BOOT_ENABLE = {
  name: 'SecureBootEnable',
  vendor: 'f0a30bc7-af08-4556-99c4-001009c93a44' as Guid,
  // Non-volatile, and out of the reach of the running system.
  attributes: 3,
} as const;

/**
 * Returns a firmware's file of variables with the wishes in it. The same arguments give the same bytes.
 * @param name of the template, in errors
 * @throws {VARIABLES_MALFORMED} when the template is no store of variables
 * @throws {CONFIG_INVALID} when they do not fit
 */
export function variableFile(
  template: Uint8Array,
  wishes: VariableWishes,
  name: string,
): Uint8Array {
  const there = readVariables(template, name);
  return withVariables(template, [...keyVariables(wishes), ...bootVariables(there, wishes)], name);
}

function keyVariables({ signatures, dbx, time }: VariableWishes): readonly StoredVariable[] {
  const signed = (variable: SignedVariable, data: Uint8Array): StoredVariable => ({
    ...{ name: variable, vendor: vendorOf(variable), data },
    attributes: NON_VOLATILE | TIME_AUTHENTICATED,
    time: formatTime(time),
  });
  const keys =
    signatures === undefined
      ? []
      : KEY_NAMES.map((variable) => signed(variable, formatSignatureLists(signatures[variable])));
  return [
    ...keys,
    ...(dbx === undefined ? [] : [signed('dbx', dbx)]),
    ...(keys.length > 0 ? [{ ...SECURE_BOOT_ENABLE, time: NO_TIME, data: Uint8Array.of(1) }] : []),
  ];
}

/** New entries get the lowest numbers that are free, as bootctl gives them. */
function bootVariables(
  there: readonly StoredVariable[],
  { boot }: VariableWishes,
): readonly StoredVariable[] {
  if (boot.length === 0) return [];
  const global = there.filter(({ vendor }) => vendor === GLOBAL_VARIABLE);
  const taken = new Set(global.map((variable) => variable.name));
  const numbers: number[] = [];
  for (let number = 0; numbers.length < boot.length; number++) {
    if (!taken.has(bootVariableName(number))) numbers.push(number);
  }
  const order = global.find((variable) => variable.name === 'BootOrder');
  const later = order === undefined ? [] : parseBootOrder(order.data);
  const plain = (name: string, data: Uint8Array): StoredVariable => ({
    ...{ name, vendor: GLOBAL_VARIABLE, attributes: NON_VOLATILE, time: NO_TIME, data },
  });
  return [
    ...boot.map((option, index) =>
      plain(bootVariableName(numbers[index] ?? 0), formatBootOption(option)),
    ),
    plain('BootOrder', formatBootOrder([...numbers, ...later])),
  ];
}
