/** Makes entries of generations about which everything is known. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { LARGEST_FILE, tooLarge } from '../esp/space.ts';
import type { Architecture } from '../loader/architecture.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { Format } from '../plan/format/format.ts';
import {
  filesOf,
  type ImageSettings,
  type Resolved,
  type WantedEntry,
  withTries,
} from '../plan/wanted.ts';
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
 * Reads what images are made from; undefined for a format without images.
 * @throws {CONFIG_INVALID} when there is no stub
 */
export function imagesOf(policy: EntryPolicy, context: Context): ImageSettings | undefined {
  const { stub } = policy.chosenFormat;
  return stub === undefined ? undefined : imageSettings(stub, policy, context);
}

/** Returns a function that makes entries in the format of the settings. */
export function entryMaker(policy: EntryPolicy, images: ImageSettings | undefined): EntryMaker {
  const { settings, chosenFormat } = policy;
  const want = makerOf(policy, images);
  return (resolved) => {
    const entry = want(resolved);
    requireSizes(entry);
    requireReadable(entry, chosenFormat.format);
    return withTries(entry, settings['boot-counting']);
  };
}

/** Returns what makes entries, whatever they hold. */
export function makerOf(
  { settings, chosenFormat }: EntryPolicy,
  images: ImageSettings | undefined,
): EntryMaker {
  const token = settings['entry-token'];
  if (chosenFormat.stub === undefined) {
    return (resolved) => chosenFormat.format.want(token, resolved);
  }
  if (images === undefined) throw new RangeError('"images" expected for a format with images');
  return (resolved) => chosenFormat.format.want(token, resolved, images);
}

function requireSizes(entry: WantedEntry): void {
  const file = filesOf(entry).find(({ size }) => size > LARGEST_FILE);
  if (file !== undefined) throw tooLarge(file.path, file.size);
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
