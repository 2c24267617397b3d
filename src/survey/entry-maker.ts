/** Makes entries of generations about which everything is known. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { LARGEST_FILE } from '../esp/space.ts';
import type { Architecture } from '../loader/architecture.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { Format } from '../plan/format/format.ts';
import { filesOf, type Resolved, type WantedEntry, withTries } from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { imageSettings } from './image-settings.ts';
import type { PolicyMaker } from './policies.ts';
import type { ChosenFormat } from './stub.ts';

/** The rules by which entries are made. */
export interface EntryPolicy {
  readonly settings: Settings;
  readonly signer: Signer;
  readonly chosenFormat: ChosenFormat;
  /** Makes policies for PCR 11; undefined where nobody signs any. */
  readonly policies: PolicyMaker | undefined;
  /** Files besides those of generations. Some may follow an initrd. */
  readonly extras: readonly DeclaredExtra[];
  /** The boot loader to install, at its path outside the ESP. */
  readonly loader: string;
  readonly architecture: Architecture;
}

/** Whether kernels get our signature: only when a person asks, for any initrd starts with such a kernel. */
export function signsKernels({ settings, chosenFormat, signer }: EntryPolicy): boolean {
  return chosenFormat.format.signsKernels && settings['sign-kernels'] && !isUnsigned(signer);
}

/** Makes the entry of a generation or specialisation. */
export type EntryMaker = (resolved: Resolved) => WantedEntry;

/**
 * Returns a function that makes entries in the format of the settings.
 * @throws {CONFIG_INVALID} when there is no stub
 */
export function entryMaker(policy: EntryPolicy, context: Context): EntryMaker {
  const { settings, chosenFormat } = policy;
  const want = makerOf(policy, context);
  return (resolved) => {
    const entry = want(resolved);
    requireSizes(entry);
    requireReadable(entry, chosenFormat.format);
    return withTries(entry, settings['boot-counting']);
  };
}

/** Returns what makes entries, whatever they hold. @throws {CONFIG_INVALID} when there is no stub */
export function makerOf(policy: EntryPolicy, context: Context): EntryMaker {
  const { settings, chosenFormat } = policy;
  const token = settings['entry-token'];
  if (chosenFormat.stub === undefined) {
    return (resolved) => chosenFormat.format.want(token, resolved);
  }
  const images = imageSettings(chosenFormat.stub, policy, context);
  return (resolved) => chosenFormat.format.want(token, resolved, images);
}

function requireSizes(entry: WantedEntry): void {
  const file = filesOf(entry).find(({ size }) => size > LARGEST_FILE);
  if (file !== undefined) throw tooLarge(file.path, file.size);
}

/** Returns the error for what FAT cannot hold. `size` in bytes. */
export function tooLarge(path: string, size: number): EspError {
  return new EspError(
    'FILE_TOO_LARGE',
    `${path}: expected at most ${LARGEST_FILE} bytes, which is all that FAT can hold, got ${size}`,
  );
}

function requireReadable({ cmdline }: WantedEntry, { unreadable }: Format): void {
  const [other] = unreadable?.characters.exec(cmdline) ?? [];
  if (unreadable === undefined || other === undefined) return;
  throw new EspError(
    'GENERATION_BROKEN',
    `its command line holds ${JSON.stringify(other)}, which ${unreadable.by} cannot read`,
    { hint: 'leave it out of the kernel parameters, or use --format uki' },
  );
}
