/** Tells whether images on an ESP carry the policies for PCR 11 that their key signs now. */
import { createHash } from 'node:crypto';
import type { OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { imageKindOf } from '../esp/image-kind.ts';
import type { BlobFile, EntryFile, Inventory } from '../esp/inventory.ts';
import { isImageBlob } from '../esp/layout.ts';
import { profileId } from '../esp/shared-entry.ts';
import type { Target } from '../esp/target.ts';
import { type BankDigests, digestInBanks, knownInSha256 } from '../measure/bank.ts';
import { sectionEvents } from '../measure/image.ts';
import { measuredSections, memoryOf } from '../measure/measured-section.ts';
import { type Policy, policiesFor } from '../measure/policy.ts';
import type { PcrRecord } from '../measure/record.ts';
import { parsePe, readSection, type Section } from '../pe/pe.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import { hasPart } from '../plan/sharing.ts';
import { isImage, type SectionContent } from '../plan/step.ts';
import type { WantedEntry } from '../plan/wanted.ts';
import type { PolicyRule } from '../survey/policies.ts';
import { type PolicyDocument, type PolicyEntry, parsePolicies } from '../uki/pcrsig.ts';
import { splitProfiles } from '../uki/section.ts';

/** What policies are held against. */
export interface PolicyLook {
  readonly rule: PolicyRule;
  /** What is wanted: its sections have digests that its name vouches for. */
  readonly entries: readonly WantedEntry[];
  /** Whether a section is hashed however large it is. */
  readonly deep: boolean;
}

/** In bytes. A larger section is hashed only in a deep look. */
const SMALL = 1024 * 1024;
/** In bytes. Policies of some hundred profiles take less. */
const MAX_POLICIES = 4 * 1024 * 1024;

/** Returns an inventory in which images are marked that lack a policy of the key. */
export function viewPolicies(
  inventory: Inventory,
  { root, tree }: Pick<Target, 'root' | 'tree'>,
  look: PolicyLook,
): Inventory {
  const wanted = new Map(look.entries.map((entry) => [entry.id.toLowerCase(), entry]));
  const judged = <File extends EntryFile | BlobFile>(
    file: File,
    of: WantedEntry | undefined,
  ): File => {
    if (file.damage !== undefined || !carriesKernel(file)) return file;
    using opened = tree.open(`${root}/${file.path}`);
    const unauthorised = attempt(() => policyProblem(opened, look, knownIn(of)));
    return unauthorised === undefined ? file : { ...file, unauthorised };
  };
  // An image that entries share has the base of each of them.
  const parts = new Map(
    look.entries.filter(hasPart).map((entry) => [profileId(entry.id), entry] as const),
  );
  return {
    ...inventory,
    entries: inventory.entries.map((entry) =>
      entry.name === undefined || entry.isNeighbour === true
        ? entry
        : judged(entry, wanted.get(entry.id.toLowerCase())),
    ),
    blobs: inventory.blobs.map((blob) =>
      isImageBlob(blob.name)
        ? judged(
            blob,
            blob.profiles?.map((id) => parts.get(id)).find((part) => part),
          )
        : blob,
    ),
  };
}

function carriesKernel({ sections }: EntryFile | BlobFile): boolean {
  return sections !== undefined && imageKindOf(IMAGE_KINDS, sections).carriesKernel;
}

/** Returns the sections whose digests the name of an image vouches for. */
function knownIn(entry: WantedEntry | undefined): readonly SectionContent[] {
  if (entry?.part) return entry.part.base.sections;
  const content = entry?.file.content;
  return content && isImage(content) ? content.sections : [];
}

function attempt(judge: () => string | undefined): string | undefined {
  try {
    return judge();
  } catch (error) {
    if (error instanceof EspError) return 'its policies for PCR 11 cannot be read';
    throw error;
  }
}

const NONE = 'it carries no policy for PCR 11 of our key: the TPM opens nothing for it';
const STALE =
  'its policies for PCR 11 are not those of the settings: the TPM does not open in every phase and bank';

function policyProblem(
  file: OpenFile,
  { rule, deep }: PolicyLook,
  known: readonly SectionContent[],
): string | undefined {
  const pe = parsePe(file);
  const [base = [], ...profiles] = splitProfiles(pe.sections);
  const digests = new Map<Section, BankDigests | undefined>();
  const digestOf = (section: Section) => {
    if (!digests.has(section))
      digests.set(section, sectionDigest(section, file, { rule, deep, known }));
    return digests.get(section);
  };
  // A `.pcrsig` of the base is for every profile that has none of its own.
  const holders = new Map<Section, number[]>();
  for (const [number, own] of (profiles.length > 0 ? profiles : [base]).entries()) {
    const section = [...own, ...base].find(({ name }) => name === '.pcrsig');
    if (section === undefined) return NONE;
    holders.set(section, [...(holders.get(section) ?? []), number]);
  }
  for (const [section, numbers] of holders) {
    const text = new TextDecoder().decode(readSection(file, section, MAX_POLICIES));
    const mine = entriesOf(parsePolicies(text, '.pcrsig'), rule);
    if (mine.length === 0) return NONE;
    if (!mine.every((entry) => isSigned(entry, rule))) return STALE;
    const expected = numbers.map((number) =>
      expectedOf(measuredSections(pe, number), digestOf, rule),
    );
    if (!isSame(mine, expected, rule)) return STALE;
  }
  return undefined;
}

/** An entry of our key, with its bank. */
type OwnEntry = PolicyEntry & { readonly bank: string };

function entriesOf(document: PolicyDocument, { key }: PolicyRule): readonly OwnEntry[] {
  return Object.entries(document).flatMap(([bank, entries]) =>
    entries.filter(({ pkfp }) => pkfp === key.fingerprint).map((entry) => ({ ...entry, bank })),
  );
}

/** Returns what the image should carry; undefined where a section was not hashed. */
function expectedOf(
  sections: readonly Section[],
  digestOf: (section: Section) => BankDigests | undefined,
  { request }: PolicyRule,
): readonly Policy[] | undefined {
  const records: PcrRecord[] = [];
  for (const section of sections) {
    const digests = digestOf(section);
    if (digests === undefined) return undefined;
    records.push(...sectionEvents(section.name, digests, createHash));
  }
  return policiesFor(records, request, createHash);
}

function sectionDigest(
  section: Section,
  file: OpenFile,
  { rule, deep, known }: Pick<PolicyLook, 'rule' | 'deep'> & { known: readonly SectionContent[] },
): BankDigests | undefined {
  const isSha256 = rule.request.banks.every((bank) => bank === 'sha256');
  const vouched = known.find(
    ({ name, size }) => name === section.name && size === section.virtualSize,
  );
  if (!deep && vouched && isSha256) return knownInSha256(vouched.digest);
  if (!deep && section.virtualSize > SMALL) return undefined;
  return digestInBanks(memoryOf(file, section), createHash);
}

/** One too many opens in a phase that nobody wants. Where a section was not hashed, the number has to do. */
function isSame(
  mine: readonly OwnEntry[],
  expected: readonly (readonly Policy[] | undefined)[],
  { request }: PolicyRule,
): boolean {
  const found = new Set(mine.map(({ bank, pol }) => `${bank} ${pol}`));
  const known = expected.flatMap((policies) => policies ?? []);
  const isThere = known.every(({ bank, pol }) => found.has(`${bank} ${pol}`));
  const count = expected.includes(undefined)
    ? expected.length * request.phases.length * request.banks.length
    : new Set(known.map(({ bank, pol }) => `${bank} ${pol}`)).size;
  return isThere && found.size === count;
}

function isSigned({ pol, ref, sig }: PolicyEntry, { key }: PolicyRule): boolean {
  if (sig === undefined || ref !== undefined) return false;
  return key.verify(Buffer.from(pol, 'hex'), Buffer.from(sig, 'base64'));
}
