/** Whether firmware starts what is on an ESP, and what is about to be installed there. Pure. */
import { EspError } from '../error.ts';
import type { BootOption } from '../loader/boot-option.ts';
import { xbootldrFault } from '../loader/systemd-boot.ts';
import { isUnsigned } from '../signer/signer.ts';
import type { Scope } from './scope.ts';
import type { EspView, FirmwareView } from './view.ts';
import type { WantedSystem } from './wanted-system.ts';

/**
 * Refuses files that firmware or boot loader would not start: they must not replace files that start.
 * @throws {SECURE_BOOT_UNSIGNED} {SECURE_BOOT_UNTRUSTED} {CONFIG_INVALID}
 */
export function requireStartable(system: WantedSystem, view: EspView, scope: Scope): void {
  requireTaken(system, view.firmware);
  if (scope === 'all') requireFound(system, view);
}

function requireTaken(
  { settings: { certificate }, signer, hasBareKernels }: WantedSystem,
  firmware: FirmwareView | undefined,
): void {
  if (firmware?.secureBoot !== true) return;
  if (isUnsigned(signer)) {
    throw new EspError(
      'SECURE_BOOT_UNSIGNED',
      'Secure Boot is on, and there is no key: what would be installed would not start',
      { hint: 'give --certificate and --private-key, or turn Secure Boot off in the firmware' },
    );
  }
  if (hasBareKernels) {
    throw new EspError(
      'SECURE_BOOT_UNSIGNED',
      'Secure Boot is on, and entries of this format name kernels that are not signed: they would not start',
      {
        hint: 'use --format uki; --sign-kernels signs them, and then each of them starts with any initrd and any command line',
      },
    );
  }
  const [refusal] = refusals(firmware);
  if (refusal === undefined) return;
  throw new EspError(
    'SECURE_BOOT_UNTRUSTED',
    `certificate ${certificate}: ${refusal}: what would be installed would not start`,
    {
      hint: 'sign with a certificate that espalier keys status finds in firmware, or turn Secure Boot off until this one is enrolled',
    },
  );
}

/** Refuses entries that the boot loader will not find. Of the one that is there and the one that is brought, the newer stays. */
function requireFound({ loader }: Pick<WantedSystem, 'loader'>, view: EspView): void {
  const [fault] = entriesNotFound(view, loader.version);
  if (fault === undefined) return;
  throw new EspError('CONFIG_INVALID', `${view.xbootldr}: ${fault}`, {
    hint: 'name a newer systemd with --systemd, or leave --xbootldr out: entries are then on the ESP',
  });
}

/**
 * Says that no copy of the boot loader finds the entries, which are on an XBOOTLDR partition.
 * @param brought the version of another copy
 */
export function entriesNotFound(
  { xbootldr, sectorSize = 512, loaders }: Pick<EspView, 'xbootldr' | 'sectorSize' | 'loaders'>,
  brought?: string,
): readonly string[] {
  const there = loaders
    .filter(({ place }) => place !== 'previous')
    .map(({ installed }) => (installed.kind === 'systemd-boot' ? installed.version : undefined));
  const versions = [brought, ...there].filter((version) => version !== undefined);
  const faults = versions.map((version) => xbootldrFault(version, sectorSize));
  const [fault] = faults;
  return xbootldr === undefined || fault === undefined || faults.includes(undefined) ? [] : [fault];
}

/**
 * Refuses to write a boot loader whose digest is in dbx.
 * @throws {SECURE_BOOT_UNTRUSTED}
 */
export function requireLoaderTaken(
  { copies }: { readonly copies: readonly unknown[] },
  { loader: { path, version } }: Pick<WantedSystem, 'loader'>,
  firmware: FirmwareView | undefined,
): void {
  if (copies.length === 0 || firmware?.bansLoader !== true) return;
  throw new EspError(
    'SECURE_BOOT_UNTRUSTED',
    `${path}: Secure Boot is on, and dbx has the digest of this systemd-boot ${version}: it would not start`,
    { hint: 'install another version of systemd, or name one with --systemd' },
  );
}

/** Says why firmware starts nothing that our certificate signs. */
export function refusals(firmware: FirmwareView | undefined): readonly string[] {
  if (firmware?.secureBoot !== true) return [];
  const { forbids, trustsCertificate } = firmware;
  return [
    ...(forbids === undefined
      ? []
      : [`Secure Boot is on, and firmware refuses our certificate: ${forbids}`]),
    ...(trustsCertificate === false
      ? ['Secure Boot is on, and firmware does not know our certificate']
      : []),
  ];
}

/** Says that the machine was started from a partition that is none of these. */
export function startedElsewhere({
  firmware,
  partitions,
}: Pick<EspView, 'firmware' | 'partitions'>): readonly string[] {
  const from = firmware?.variables.LoaderDevicePartUUID?.toLowerCase();
  if (from === undefined || partitions.length === 0 || partitions.includes(from)) return [];
  return [
    `the machine was started from partition ${from}, and what is kept here is ${partitions.join(' and ')}: mount that one, or let firmware start from this one`,
  ];
}

/** Tells whether boot entries of firmware say how it comes to our boot loader. */
export function isReachKnown({ firmware, partitions }: Pick<EspView, 'firmware' | 'partitions'>) {
  return firmware?.bootOptions !== undefined && partitions.length > 0;
}

type Seen = Pick<EspView, 'firmware' | 'partitions' | 'loaders'>;

/**
 * Says that firmware does not come to our boot loader: a boot entry that starts another program of this ESP
 * comes first, or another system has the fallback path and no boot entry leads to ours. Nothing is said
 * where partitions or boot entries are not known.
 */
export function notReached(view: Seen): readonly string[] {
  const [own, fallback] = view.loaders;
  if (!isReachKnown(view) || !own || !fallback) return [];
  const { first, isOurs } = firstStarted(view);
  const isForeign = fallback.installed.kind === 'foreign';
  if (isOurs || (first === undefined && !isForeign)) return [];
  const why = first
    ? `its boot entry ${JSON.stringify(first.title)} starts ${first.path}, and none before it leads to ${own.path}`
    : `${fallback.path} is another system's, and no boot entry of firmware leads to ${own.path}`;
  return [
    `firmware does not start our boot loader: ${why}; make one with espalier firmware register, or with: efibootmgr --create --disk DISK --part NUMBER --label 'Linux Boot Manager' --loader '${firmwareForm(own.path)}'`,
  ];
}

/** Returns the first boot entry that is known to start something of this ESP, and whether that is ours. */
function firstStarted({ firmware, partitions, loaders }: Seen): {
  readonly first: BootOption | undefined;
  readonly isOurs: boolean;
} {
  const paths = loaders
    .filter(({ installed, place }) => place === 'systemd' || installed.kind !== 'foreign')
    .map(({ path }) => firmwareForm(path).toLowerCase());
  const isHere = ({ partition }: BootOption) =>
    partition === undefined || partitions.includes(partition);
  const leadsToOurs = (option: BootOption) =>
    isHere(option) && paths.includes(option.path?.toLowerCase() ?? '');
  // Whoever started this time from here has chosen the order of the entries.
  const from = firmware?.variables.LoaderDevicePartUUID?.toLowerCase();
  const isChosen = from !== undefined && partitions.includes(from);
  const first = firmware?.bootOptions?.find(
    (option) =>
      option.isActive &&
      (leadsToOurs(option) || (!isChosen && option.isThere === true && isHere(option))),
  );
  return { first, isOurs: first !== undefined && leadsToOurs(first) };
}

/** Returns a path of the ESP as firmware writes it. */
function firmwareForm(path: string): string {
  return `\\${path.replaceAll('/', '\\')}`;
}
