/** The programs that firmware starts from an ESP: their signatures, PCR 11 of images, and policies for it. */
import { createHash } from 'node:crypto';
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import type { EntryFile } from '../esp/inventory.ts';
import type { ReportedProgram } from '../html/machine-report.ts';
import { type FirmwareKeys, firmwareKeys } from '../inspection/firmware-trust.ts';
import { type ProgramReport, programSignatures } from '../inspection/program-signatures.ts';
import { EFI_VARIABLES } from '../loader/efi-variables.ts';
import { type MeasuredImage, measuredImage, valueInPhase } from '../measure/image.ts';
import { policiesFor } from '../measure/policy.ts';
import type { PcrRecord } from '../measure/record.ts';
import { parsePe, readSection } from '../pe/pe.ts';
import { compareEntries } from '../plan/menu-order.ts';
import type { EspView } from '../plan/view.ts';
import { type PolicyEntry, parsePolicies } from '../uki/pcrsig.ts';
import { DEFAULT_PHASES } from '../uki/phase.ts';
import { splitProfiles } from '../uki/section.ts';
import { type BootFile, bootFileOf } from './boot-files.ts';

/** Where programs are read, and what judges them. */
interface Reading extends Disposable {
  readonly tree: Disk;
  signaturesOf(path: string): ProgramReport;
  imageOf(file: BootFile): MeasuredImage;
}

/** In bytes. Policies of some hundred profiles take less. */
const MAX_POLICIES = 4 * 1024 * 1024;

/** Returns loaders and the images of our entries, as the menu has them. Each file is hashed once. */
export function programsOn(
  view: EspView,
  tree: Disk,
  context: Context,
): readonly ReportedProgram[] {
  using reading = openReading(tree, context);
  // The tree has the files of both partitions.
  const joined = { ...view, xbootldr: undefined };
  const own = view.inventory.entries.filter(({ name }) => name !== undefined);
  return [
    ...view.loaders
      .filter(({ size }) => size > 0)
      .map(({ path }) => attempt(path, path, () => loader(path, `${view.root}/${path}`, reading))),
    ...own
      .toSorted(compareEntries)
      .map((entry) => attempt(nameOf(entry), entry.path, () => image(entry, joined, reading))),
  ];
}

function nameOf({ name, id }: EntryFile): string {
  if (name === undefined) return id;
  const { generation, slug } = name;
  return `generation ${generation}${slug === undefined ? '' : `-${slug}`}`;
}

/** A file that cannot be read or is no program keeps nobody from the others. */
function attempt(name: string, path: string, read: () => ReportedProgram): ReportedProgram {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { name, path, starts: null, problem: explain(error) };
  }
}

function openReading(tree: Disk, { disk, environment }: Context): Reading {
  const opened = new DisposableStack();
  const open = (path: string) => opened.use(tree.open(path));
  const firmware = readFirmware(disk, environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES);
  const signatures = new Map<string, ProgramReport>();
  const images = new Map<string, MeasuredImage>();
  const known = <T>(values: Map<string, T>, path: string, read: () => T): T => {
    const found = values.get(path) ?? read();
    values.set(path, found);
    return found;
  };
  return {
    tree,
    signaturesOf: (path) =>
      known(signatures, path, () =>
        programSignatures(open(path), path, { firmware, certificates: [] }),
      ),
    imageOf: ({ path, standing }) =>
      known(images, path, () =>
        measuredImage(open(path), createHash, (section) => {
          const file = standing.get(section);
          return file === undefined ? undefined : open(file);
        }),
      ),
    [Symbol.dispose]: () => opened.dispose(),
  };
}

function readFirmware(disk: Disk, variables: string): FirmwareKeys | undefined {
  return disk.stat(variables)?.kind === 'directory' ? firmwareKeys(variables, disk) : undefined;
}

function loader(name: string, path: string, reading: Reading): ReportedProgram {
  return { name, path, ...signed(reading.signaturesOf(path)) };
}

function image(entry: EntryFile, view: EspView, reading: Reading): ReportedProgram {
  const file = bootFileOf(entry, view, reading.tree);
  const { path, options = '' } = file;
  const events = reading.imageOf(file).eventsOf({ secureBoot: true, options });
  return {
    name: nameOf(entry),
    path,
    ...signed(reading.signaturesOf(path)),
    registers: registersOf(events, policiesIn(path, options, reading.tree)),
  };
}

function signed({
  signatures,
  starts,
}: ProgramReport): Pick<ReportedProgram, 'signatures' | 'starts'> {
  return {
    starts,
    signatures: signatures.map(({ signer: [first], valid }) => ({
      signer: first ?? 'an unknown signer',
      valid,
    })),
  };
}

/** Returns the policies in SHA-256 of the profile that is started, else those of the whole image. */
function policiesIn(path: string, options: string, tree: Disk): readonly PolicyEntry[] {
  using source = tree.open(path);
  const [base = [], ...profiles] = splitProfiles(parsePe(source, path).sections);
  const own = profiles[Number(/^@(\d+)/.exec(options)?.[1] ?? 0)] ?? [];
  const section = [...own, ...base].find(({ name }) => name === '.pcrsig');
  if (section === undefined) return [];
  const text = new TextDecoder().decode(readSection(source, section, MAX_POLICIES));
  return parsePolicies(text, '.pcrsig')['sha256'] ?? [];
}

function registersOf(
  records: readonly PcrRecord[],
  entries: readonly PolicyEntry[],
): NonNullable<ReportedProgram['registers']> {
  return DEFAULT_PHASES.map((phase) => {
    const request = { phases: [phase], banks: ['sha256'] } as const;
    const [policy] = policiesFor(records, request, createHash);
    const entry = entries.find(({ pol, sig }) => pol === policy?.pol && sig !== undefined);
    return {
      phase,
      value: valueInPhase(phase, records, createHash).sha256,
      ...(entry?.pkfp === undefined ? {} : { key: entry.pkfp }),
    };
  });
}
