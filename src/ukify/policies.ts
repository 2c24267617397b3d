/** Makes the policies of an image that is being built: the text of each `.pcrsig`, and what is printed. */
import { lastValue, parseLines } from '../bls.ts';
import type { Disk } from '../disk/disk.ts';
import type { BankDigests } from '../measure/bank.ts';
import { policyDocument } from '../measure/policy.ts';
import {
  type ContentHasher,
  contentHasher,
  type Measurement,
  measureSections,
} from '../recipe/measurement.ts';
import type { PolicyPublicKey, PolicySigner } from '../signer/policy-key.ts';
import { type ImageParts, imageSections, isForJoining } from '../uki/build.ts';
import type { Bank } from '../uki/pcr-bank.ts';
import { combined, formatPolicies, type PolicyDocument } from '../uki/pcrsig.ts';
import { normalizePhases } from '../uki/phase.ts';
import { findKnown, splitProfiles } from '../uki/section.ts';
import type { UkiSection } from '../uki/uki.ts';
import { misuse } from './misuse.ts';
import type { PolicyAsked } from './policy-settings.ts';

/** The keys of an image's policies. */
export interface PolicyKeys {
  /** One for each group of what is asked for, in that order. */
  readonly signers: readonly PolicySigner[];
  readonly elsewhere: PolicyPublicKey | undefined;
}

/** The policies of an image. */
export interface MadePolicies {
  /** The text of `.pcrsig` for the base and for each profile to join. */
  readonly texts: readonly (Uint8Array | undefined)[];
  /** With `--policy-digest`: everything that somebody else has to sign. */
  readonly toSign: PolicyDocument | undefined;
  readonly banks: readonly Bank[];
  /** With `--measure`: what PCR 11 will hold, profile by profile. */
  readonly values: readonly (readonly { readonly phase: string; readonly value: BankDigests }[])[];
}

/** The policy that is good for the initrd alone, as ukify makes it. */
const FOR_INITRD = { phases: ['enter-initrd'], reference: 'initrd' };
/** Room for one signature, in bytes, as ukify leaves it. */
const ROOM = 1024;

/**
 * Makes what is asked for of policies. Files are read once, whatever the number of profiles is.
 * @throws {CONFIG_INVALID} when there is no kernel to make a policy for
 * @throws {SIGNER_FAILED}
 */
export async function makePolicies(
  parts: ImageParts,
  asked: PolicyAsked,
  keys: PolicyKeys,
  disk: Disk,
): Promise<MadePolicies> {
  const isAsked = keys.signers.length > 0 || keys.elsewhere !== undefined || asked.measure;
  // What a profile is joined to decides what is measured.
  if (!isAsked || isForJoining(parts))
    return { texts: [], toSign: undefined, banks: [], values: [] };
  if (parts.kernel === undefined) throw misuse('--linux: there is no kernel to measure');
  const hasher = contentHasher(disk);
  const made: Made[] = [];
  for (const view of viewsOf(parts)) {
    const isMeant = asked.profiles.length === 0 || asked.profiles.includes(view.id ?? '');
    made.push(isMeant ? await policiesOf(view, asked, keys, hasher) : { values: [] });
  }
  const documents = made.flatMap(({ document }) => (document === undefined ? [] : [document]));
  const isElsewhere = keys.elsewhere !== undefined;
  return {
    texts: made.map(({ document }) => document && textOf(document, isElsewhere)),
    toSign: isElsewhere ? combined(documents) : undefined,
    banks: asked.banks,
    values: made.flatMap(({ values }) => values),
  };
}

/** What comes of one profile. */
interface Made {
  readonly document?: PolicyDocument | undefined;
  readonly values: MadePolicies['values'];
}

async function policiesOf(
  { boots }: View,
  asked: PolicyAsked,
  keys: PolicyKeys,
  hasher: ContentHasher,
): Promise<Made> {
  const measured: Measurement[] = [];
  for (const sections of boots) measured.push(await measureSections(sections, hasher));
  const phases = normalizePhases(asked.phases);
  return {
    document: documentOf(measured, asked, keys),
    values: asked.measure ? measured.map((one) => one.values(phases)) : [],
  };
}

/** A profile: its ID, and the sections that are measured, once for each device tree that may be chosen. */
interface View {
  readonly id: string | undefined;
  readonly boots: readonly (readonly UkiSection[])[];
}

function viewsOf(parts: ImageParts): readonly View[] {
  const [base = [], ...profiles] = splitProfiles(imageSections(parts));
  const views =
    profiles.length === 0
      ? [{ own: base, below: [] }]
      : profiles.map((own) => ({ own, below: base }));
  return views.map(({ own, below }) => {
    const trees = own.filter(({ name }) => isTree(name));
    const inherited = trees.length > 0 ? trees : below.filter(({ name }) => isTree(name));
    const names = new Set(own.map(({ name }) => name));
    const rest = [...own, ...below.filter(({ name }) => !names.has(name))].filter(
      ({ name }) => findKnown(name)?.measured === true && !isTree(name),
    );
    const choices = inherited.length > 0 ? inherited.map((tree) => [tree]) : [[]];
    return { id: idOf(own), boots: choices.map((tree) => [...rest, ...tree]) };
  });
}

/** Of several sections of this name the stub takes the one that fits the hardware. */
function isTree(name: string): boolean {
  return findKnown(name)?.repeatable === true;
}

function idOf([first]: readonly UkiSection[]): string | undefined {
  if (first?.name !== '.profile' || first.content.kind !== 'bytes') return undefined;
  return lastValue(parseLines(new TextDecoder().decode(first.content.bytes), '='), 'ID');
}

function documentOf(
  measured: readonly Measurement[],
  asked: PolicyAsked,
  { signers, elsewhere }: PolicyKeys,
): PolicyDocument | undefined {
  const { groups, banks, forInitrd, phases } = asked;
  const requests = groups.flatMap((group, index) => {
    const signer = signers[index];
    return signer ? [{ key: signer, request: { ...group, banks } }] : [];
  });
  const [first] = elsewhere ? [elsewhere] : signers;
  if (first === undefined) return undefined;
  const all = [
    ...(elsewhere ? [{ key: elsewhere, request: { phases, banks } }] : requests),
    ...(forInitrd ? [{ key: first, request: { ...FOR_INITRD, banks } }] : []),
  ];
  return combined(
    measured.flatMap((one) =>
      all.map(({ key, request }) => {
        const policies = one.policies(request);
        if (!isSigner(key))
          return policyDocument(policies, key.fingerprint, ({ tbs }) => ({ tbs }));
        const signatures = key.sign(
          policies.map(({ phase, tbs }) => ({
            name: `policy of ${phase}`,
            bytes: Buffer.from(tbs, 'hex'),
          })),
        );
        const signed = new Map(policies.map((policy, index) => [policy, signatures[index]]));
        return policyDocument(policies, key.fingerprint, (policy) => ({
          sig: Buffer.from(signed.get(policy) ?? []).toString('base64'),
        }));
      }),
    ),
  );
}

function isSigner(key: PolicyPublicKey | PolicySigner): key is PolicySigner {
  return 'sign' in key;
}

function textOf(document: PolicyDocument, leavesRoom: boolean): Uint8Array {
  const text = formatPolicies(document);
  const count = leavesRoom ? text.split('"pol":').length - 1 : 0;
  return new TextEncoder().encode(text + ' '.repeat(ROOM * count));
}
