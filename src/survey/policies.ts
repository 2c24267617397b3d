/** The policies for PCR 11 that images get: their key, what it signs, and the sections that come of it. */
import type { Context } from '../context.ts';
import { openSignatureCache } from '../disk/signature-cache.ts';
import { EspError } from '../error.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import { type Policy, type PolicyRequest, policyDocument } from '../measure/policy.ts';
import { placedIn, imageOf as sharedImage } from '../plan/format/shared-image.ts';
import { textSection } from '../plan/section.ts';
import { hasPart } from '../plan/sharing.ts';
import { type ImageContent, isImage, type SectionContent } from '../plan/step.ts';
import { mapEntries, type WantedEntry, type WantedGeneration } from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import type { SignDigests } from '../signer/certificate-signer.ts';
import type { Delivered } from '../signer/policy-delivery.ts';
import type { PolicyPublicKey, PolicySigner, PolicyToSign } from '../signer/policy-key.ts';
import { formatPolicies, type PolicyDocument } from '../uki/pcrsig.ts';
import { normalizePhases } from '../uki/phase.ts';

/** Who signs policies, and for what. */
export interface PolicyRule {
  readonly key: PolicyPublicKey;
  readonly request: PolicyRequest;
}

/** A policy that nobody signed yet, and the entry whose image it is for. */
export interface UnsignedPolicy {
  readonly entry: string;
  readonly policy: Policy;
}

/** Makes the policies of images. */
export interface PolicyMaker extends PolicyRule {
  /** `.pcrpkey`, for every image. */
  readonly section: SectionContent;
  /** What has to be signed elsewhere, once that is known; it is empty where the key is at hand. */
  readonly unsigned: readonly UnsignedPolicy[];
  /**
   * Returns generations whose images carry their policies. What the key has to sign, it signs at once.
   * @throws {SIGNER_FAILED} {SIGNATURE_MISSING} @throws {PE_MALFORMED} {FILE_MISSING}
   */
  authorise(wanted: readonly WantedGeneration[]): Promise<readonly WantedGeneration[]>;
}

/**
 * Returns what makes the policies that the settings ask for; undefined when they name no key.
 * @throws {CONFIG_INVALID} {KEY_INVALID} {KEY_INSECURE}
 */
export async function policyMaker(
  settings: Settings,
  context: Context,
): Promise<PolicyMaker | undefined> {
  const chosen = await policySigner(settings, context);
  if (chosen === undefined) return undefined;
  const { key } = chosen;
  const request = policyRequest(settings);
  const unsigned: UnsignedPolicy[] = [];
  return {
    key,
    request,
    unsigned,
    section: textSection('.pcrpkey', new TextDecoder().decode(key.pem)),
    authorise: (wanted) => authorise(wanted, { ...chosen, request, unsigned }, settings, context),
  };
}

/** Returns phases and banks of the settings. */
function policyRequest(settings: Settings): PolicyRequest {
  return { phases: normalizePhases(settings['pcr-phases']), banks: settings['pcr-banks'] };
}

/** A key for policies, and whether it signs in this run. */
interface Chosen {
  readonly key: PolicySigner;
  readonly isAtHand: boolean;
  /** Signatures that were made before, which are not checked yet. */
  readonly delivered?: Delivered;
}

/**
 * Returns whose policies images should carry, as far as that is known without a key that signs: from the
 * public key, or from a private key that may be read here.
 */
export async function policyRule(
  settings: Settings,
  { disk }: Pick<Context, 'disk'>,
): Promise<PolicyRule | undefined> {
  const { 'pcr-private-key': privateKey, 'pcr-public-key': publicKey } = settings;
  if (publicKey === undefined && privateKey === undefined) return undefined;
  const { loadPolicyKey, loadPolicyPublicKey } = await import('../signer/policy-key.ts');
  const request = policyRequest(settings);
  if (publicKey !== undefined) return { key: loadPolicyPublicKey(publicKey, disk), request };
  try {
    const files = { privateKey: privateKey ?? '', allowInsecureKey: true };
    return { key: loadPolicyKey(files, { uid: 0, stores: [] }, disk), request };
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}

async function policySigner(settings: Settings, context: Context): Promise<Chosen | undefined> {
  const { 'pcr-private-key': privateKey, 'pcr-public-key': publicKey } = settings;
  const named = SIGNERS.filter((name) => settings[name] !== undefined);
  if (publicKey === undefined && named.length === 0) return undefined;
  const isLook = context.looksOnly === true;
  requireOne(named, isLook);
  const { disk } = context;
  const { loadPolicyKey, loadPolicyPublicKey, remotePolicySigner } = await import(
    '../signer/policy-key.ts'
  );
  if (privateKey !== undefined) {
    const allowInsecureKey = settings['allow-insecure-key'];
    requireKeyElsewhere(privateKey, allowInsecureKey, disk);
    const { keyOwner } = await import('../signer/key-safety.ts');
    const files = { privateKey, publicKey, allowInsecureKey };
    return { key: loadPolicyKey(files, keyOwner(context), disk), isAtHand: true };
  }
  if (publicKey === undefined) {
    throw new EspError('CONFIG_INVALID', `--${named[0]} is given without --pcr-public-key`, {
      hint: 'give the public key that belongs to it: it goes into the images',
    });
  }
  const known = loadPolicyPublicKey(publicKey, disk);
  const { 'pcr-signatures': answer } = settings;
  if (answer !== undefined) {
    const { loadDelivered, notDelivered } = await import('../signer/policy-delivery.ts');
    const key = remotePolicySigner(known, notDelivered(answer));
    return { key, isAtHand: !isLook, delivered: loadDelivered(answer, known, disk) };
  }
  const digests = isLook ? () => [] : await digestsOfCommand(settings, known, context);
  return { key: remotePolicySigner(known, digests), isAtHand: !isLook };
}

async function digestsOfCommand(
  settings: Settings,
  { key }: PolicyPublicKey,
  { machine, given }: Context,
): Promise<SignDigests> {
  const { 'pcr-signing-command': command = [], 'pcr-signing-batch': batch } = settings;
  if (given && !given.has('pcr-signing-command')) throw notRun(command);
  const { commandDigests } = await import('../signer/command-signer.ts');
  return commandDigests({ command, batch }, key, machine);
}

/** What signs policies: one of them is enough. */
const SIGNERS = ['pcr-private-key', 'pcr-signing-command', 'pcr-signatures'] as const;

function requireOne([key, other]: readonly string[], isLook: boolean): void {
  if (key === undefined && !isLook) {
    throw new EspError('CONFIG_INVALID', '--pcr-public-key is given, and nothing signs for it', {
      hint: 'give --pcr-private-key, --pcr-signing-command or --pcr-signatures too',
    });
  }
  if (other === undefined) return;
  throw new EspError('CONFIG_INVALID', `--${key} and --${other} are given, and one key is enough`, {
    hint: 'give the one that belongs to the public key',
  });
}

/** The command of a mounted system would run here, on a machine that it knows nothing of. */
function notRun([program]: readonly string[]): EspError {
  const what = `pcr-signing-command ${program}: the mounted system names it, so it is not run here`;
  return new EspError('CONFIG_INVALID', what, { hint: 'give --pcr-signing-command yourself' });
}

/** A policy, and the name of its signature among those that are remembered. */
interface Signing extends UnsignedPolicy {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Authorising extends Chosen {
  readonly request: PolicyRequest;
  /** Gets the policies for which there is no signature. */
  readonly unsigned: UnsignedPolicy[];
}

async function authorise(
  wanted: readonly WantedGeneration[],
  { request, ...chosen }: Authorising,
  settings: Settings,
  { disk }: Context,
): Promise<readonly WantedGeneration[]> {
  const { key } = chosen;
  const { imagePolicies } = await import('../recipe/image-policies.ts');
  const maker = imagePolicies(request, disk);
  const policies = new Map<ImageContent, readonly Policy[]>();
  const signings = new Map<string, Signing>();
  for (const entry of wanted.flatMap(({ entries }) => entries)) {
    const content = imageOf(entry);
    if (content === undefined) continue;
    const made = await maker.policiesOf(content);
    policies.set(content, made);
    for (const policy of made) {
      const name = `${key.fingerprint} ${policy.tbs}`;
      const bytes = Buffer.from(policy.tbs, 'hex');
      signings.set(name, { name, entry: entry.id, policy, bytes });
    }
  }
  const signatures = await signaturesOf([...signings.values()], chosen, settings, disk);
  const finish = ({ tbs }: Policy) => ({ sig: signatures.get(`${key.fingerprint} ${tbs}`) ?? '' });
  return mapEntries(wanted, (entry) => {
    const content = imageOf(entry);
    const made = content && policies.get(content);
    if (content === undefined || made === undefined) return entry;
    return withPolicies(entry, content, policyDocument(made, key.fingerprint, finish));
  });
}

/** Returns the image that an entry is, or that of its part alone: it measures to the same beside others. */
function imageOf(entry: WantedEntry): ImageContent | undefined {
  const { file, blobs } = entry;
  const [content] = (hasPart(entry) ? blobs : [file]).map((each) => each.content);
  return content && isImage(content) ? content : undefined;
}

function withPolicies(
  entry: WantedEntry,
  content: ImageContent,
  policies: PolicyDocument,
): WantedEntry {
  if (hasPart(entry)) {
    const authorised = { ...entry, part: { ...entry.part, policies } };
    return placedIn(authorised, sharedImage(entry.part.base, [authorised]), 0);
  }
  const { file } = entry;
  const section = textSection('.pcrsig', formatPolicies(policies));
  const sections = [...content.sections, section];
  return {
    ...entry,
    file: { ...file, size: file.size + section.size, content: { ...content, sections } },
  };
}

function toSign({ entry, policy, bytes }: Signing): PolicyToSign {
  return { name: `policy of ${entry}, phase ${policy.phase}`, bytes };
}

/** Returns the signatures in base64 by their names: those that are remembered and valid, and new ones. */
async function signaturesOf(
  signings: readonly Signing[],
  { key, isAtHand, delivered, unsigned }: Omit<Authorising, 'request'>,
  settings: Settings,
  disk: Context['disk'],
): Promise<ReadonlyMap<string, string>> {
  const cache = openSignatureCache(disk, settings['cache-dir'], 'policies');
  const found = new Map<string, Uint8Array>();
  for (const { name, bytes } of signings) {
    const known = [cache.get(name), delivered?.(bytes)];
    const signature = known.find((each) => each !== undefined && key.verify(bytes, each));
    if (signature) found.set(name, signature);
  }
  const missing = signings.filter(({ name }) => !found.has(name));
  unsigned.push(...(isAtHand ? [] : missing));
  // Whoever only looks gets an image of the right size.
  if (!isAtHand) for (const { name } of missing) found.set(name, new Uint8Array(key.signatureSize));
  const made = !isAtHand ? [] : key.sign(missing.map(toSign));
  for (const [index, { name }] of missing.entries()) {
    const signature = made[index];
    if (signature === undefined) continue;
    found.set(name, signature);
    cache.put(name, signature);
  }
  await cache.save();
  return new Map([...found].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]));
}
