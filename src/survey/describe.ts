/** Everything about one generation or specialisation that has to be read or hashed for its entry. */

import type { Context } from '../context.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { SecretInitrd } from '../generation/initrd-secrets.ts';
import { modulesRelease } from '../generation/modules.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { Payload, Resolved } from '../plan/wanted.ts';
import { isUnsigned } from '../signer/signer.ts';
import { kernelTraits } from '../uki/kernel.ts';
import type { EntryPolicy } from './entry-maker.ts';
import { type Hashed, signedProgram, type Variant } from './payload.ts';

/** What the entries of a run are made with. */
export interface Making {
  readonly policy: EntryPolicy;
  readonly context: Context;
  readonly cache: DigestCache;
  readonly secrets: Map<Bootspec, SecretInitrd>;
}

/** Returns what the entry of a generation or specialisation is made from. */
export async function describe(
  variant: Variant,
  payloads: ReadonlyMap<string, Hashed>,
  making: Making,
): Promise<Resolved> {
  const { secrets, policy, context } = making;
  const { bootspec } = variant;
  const extraInitrds = extraInitrdsOf(bootspec, policy.extras);
  const payload = (path: string): Payload => {
    const { stat, digest } = find(path, payloads);
    return { path, size: stat.size, digest };
  };
  const initrd = secrets.get(bootspec)?.path ?? bootspec.initrd;
  const hashed = find(bootspec.kernel, payloads);
  const { format } = policy.chosenFormat;
  if (!format.takesEspInitrds) requireOwnInitrd(bootspec, policy.settings.format);
  const kernel = await kernelPayload(payload(bootspec.kernel), hashed, making);
  const release = releaseOf(bootspec.kernel, hashed, making);
  const uname = release ?? modulesRelease(context.disk, bootspec.toplevel);
  const isTold = format.tellsRelease && uname !== undefined;
  return {
    ...variant,
    kernel,
    ...(initrd === undefined ? {} : { initrd: payload(initrd) }),
    ...(bootspec.devicetree === undefined ? {} : { devicetree: payload(bootspec.devicetree) }),
    ...(extraInitrds.length > 0 ? { extraInitrds } : {}),
    ...(isTold ? { uname } : {}),
  };
}

function find(path: string, payloads: ReadonlyMap<string, Hashed>): Hashed {
  const found = payloads.get(path);
  if (!found) throw new EspError('GENERATION_BROKEN', `${path}: cannot be read`);
  return found;
}

/** The kernel as it is, or signed where firmware checks it by itself. */
function kernelPayload(
  plain: Payload,
  { stat }: Hashed,
  { policy: { chosenFormat, signer }, context, cache }: Making,
): Payload | Promise<Payload> {
  const isPlain = !chosenFormat.format.signsKernels || isUnsigned(signer);
  return isPlain ? plain : signedProgram(plain, stat, signer, context, cache);
}

/** That it is an EFI program is enough to know of a kernel, once, unless its entry tells the release. */
function releaseOf(
  path: string,
  { stat, digest }: Hashed,
  { policy, context, cache }: Making,
): string | undefined {
  const isProgram = cache.get(EFI_PROGRAM, path, stat) !== undefined;
  if (isProgram && !policy.chosenFormat.format.tellsRelease) return undefined;
  const release = kernelRelease(path, context);
  if (!isProgram) cache.put(EFI_PROGRAM, path, stat, digest);
  return release;
}

/** What is declared is taken from its source, and not from the ESP. */
function extraInitrdsOf(
  { extraInitrds = [] }: Bootspec,
  extras: readonly DeclaredExtra[],
): readonly (Payload | EspPath)[] {
  return extraInitrds.map((name) => {
    const found = extras.find(({ path }) => path.toLowerCase() === name.toLowerCase());
    if (found?.content.kind !== 'file') return espPath(name);
    const { content, size, digest } = found;
    return { path: content.path, size, digest };
  });
}

/** An image is signed with all that it boots, and nothing that lies on an ESP is ever signed. */
function requireOwnInitrd({ extraInitrds: [first] = [] }: Bootspec, format: string): void {
  if (first === undefined) return;
  throw new EspError(
    'GENERATION_BROKEN',
    `its initrd is followed by ${first} from the ESP, which no entry of the format ${format} can have`,
    { hint: 'use --format type1, or put what that file holds into the initrd' },
  );
}

/** The key under which a kernel is remembered that has the headers of an EFI program. */
const EFI_PROGRAM = 'efi-program';

/** @throws {PE_MALFORMED} when the kernel is no EFI program: neither stub nor loader could start it */
function kernelRelease(path: string, { disk }: Context): string | undefined {
  using source = disk.open(path);
  return kernelTraits(source, path).release;
}
