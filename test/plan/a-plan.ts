/** Small worlds for plans, with short names: state only the difference. Sizes in bytes. */
import assert from 'node:assert/strict';
import { hash } from '../../src/digest.ts';
import type { BlobFile, EntryFile, Inventory } from '../../src/esp/inventory.ts';
import { espPath } from '../../src/esp/layout.ts';
import { plan } from '../../src/plan/plan.ts';
import type { PlanInput } from '../../src/plan/plan-input.ts';
import type { Plan, Refusal, SectionContent, Step } from '../../src/plan/step.ts';
import type { WantedEntry, WantedFile, WantedGeneration } from '../../src/plan/wanted.ts';

export const CLUSTER = 4096;
const KIB = 1024;

/** What may differ between wanted generations. */
export interface WantedShape {
  readonly number: number;
  readonly format?: 'type1' | 'uki';
  /** Name and size of the kernel; equal names are one file. */
  readonly kernel?: readonly [name: string, size: number];
  readonly initrd?: readonly [name: string, size: number];
  /** Tells two entries of one number apart. */
  readonly tag?: string;
  readonly specialisations?: readonly string[];
}

function aBlob(kind: 'kernel' | 'initrd', [name, size]: readonly [string, number]): WantedFile {
  return {
    role: 'blob',
    path: espPath('EFI', 'nixos', `${kind}-${name}.efi`),
    size,
    content: { kind: 'file', path: `/nix/store/${kind}-${name}` },
  };
}

function aSection(name: string, size: number): SectionContent {
  const content = { kind: 'file', path: `/nix/store/${name}` } as const;
  return { name, size, digest: hash(name), content };
}

function anEntry(shape: WantedShape, suffix = ''): WantedEntry {
  const { number, format = 'type1', tag = '' } = shape;
  const { kernel = ['a', 40 * KIB], initrd = [`${number}`, 80 * KIB] } = shape;
  const name = `generation-${number}${suffix}${tag}`;
  if (format === 'type1') {
    const text = `entry ${name}\n`;
    return {
      id: `${name}.conf`,
      toplevel: `/nix/store/system-${number}${suffix}`,
      title: name,
      sortKey: 'nixos',
      version: `${number}${suffix}`,
      cmdline: '',
      file: {
        role: 'entry',
        path: espPath('loader', 'entries', `${name}.conf`),
        size: text.length,
        content: { kind: 'text', text },
      },
      blobs: [aBlob('kernel', kernel), aBlob('initrd', initrd)],
    };
  }
  const sections = [aSection('.linux', kernel[1]), aSection('.initrd', initrd[1])];
  return {
    id: `${name}.efi`,
    toplevel: `/nix/store/system-${number}${suffix}`,
    title: name,
    sortKey: 'nixos',
    version: `${number}${suffix}`,
    cmdline: '',
    file: {
      role: 'entry',
      path: espPath('EFI', 'Linux', `${name}.efi`),
      size: kernel[1] + initrd[1] + 32 * KIB,
      content: { kind: 'uki', stub: '/nix/store/stub', sections },
    },
    blobs: [],
  };
}

/** Returns a generation that should be on the ESP. */
export function aWanted(shape: WantedShape): WantedGeneration {
  const { number, specialisations = [] } = shape;
  return {
    name: `${number}`,
    number,
    entries: [anEntry(shape), ...specialisations.map((name) => anEntry(shape, `-${name}`))],
  };
}

/** What may differ between inventories. */
export interface InventoryShape extends Partial<Omit<Inventory, 'blobs' | 'entries'>> {
  /** Generations that are there and whole. */
  readonly has?: readonly WantedGeneration[];
  readonly blobs?: readonly BlobFile[];
  readonly entries?: readonly EntryFile[];
}

/** Returns an ESP of 1 MiB, with everything that does not belong to a generation in place. */
export function anInventory(shape: InventoryShape = {}): Inventory {
  const { has = [], blobs = [], entries = [], ...rest } = shape;
  const wanted = has.flatMap((generation) =>
    generation.entries.map((entry) => ({ entry, number: generation.number })),
  );
  const present = new Map(
    wanted.flatMap(({ entry }) => entry.blobs).map((file) => [file.path, blobFile(file)]),
  );
  return {
    blobs: [...present.values(), ...blobs],
    entries: [...wanted.map(({ entry, number }) => entryFile(entry, number)), ...entries],
    temporaries: [],
    loaderConf: new TextEncoder().encode(CONF),
    layout: 'type1',
    directories: new Set(),
    clusterSize: CLUSTER,
    free: 1024 * KIB,
    total: 4096 * KIB,
    ...rest,
  };
}

/** A loader.conf of one sector. */
export const CONF = 'default x\n'.padEnd(512, '\n');

function blobFile({ path, size }: WantedFile): BlobFile {
  return { path, size, name: { kind: 'kernel', version: '1', digest: hash(path) } };
}

/** Returns an entry as an inventory has it. */
function entryFile({ id, file, blobs, toplevel }: WantedEntry, number: number): EntryFile {
  const { content } = file;
  return {
    path: file.path,
    size: content.kind === 'uki' ? file.size - 16 * KIB : file.size,
    id,
    name: { kind: 'type1', generation: number, digest: hash(id) },
    references: blobs.map(({ path }) => path),
    cmdline: `init=${toplevel}/init quiet`,
    ...(content.kind === 'uki' ? { sections: content.sections } : {}),
  };
}

/** Returns the input of a plan; the first must boots next. */
export function anInput(difference: Partial<PlanInput> & Pick<PlanInput, 'musts'>): PlanInput {
  return {
    inventory: anInventory(),
    default: difference.musts[0]?.entries[0]?.id ?? '',
    wishes: [],
    leftOut: [],
    roots: { broken: new Set(), booted: undefined, selected: undefined },
    loaders: [],
    loaderConf: CONF,
    reserve: 0,
    scope: 'all',
    lacksNext: false,
    ...difference,
  };
}

/** Plans, and asserts that it is no refusal. */
export function planned(difference: Parameters<typeof anInput>[0]): Plan {
  const result = plan(anInput(difference));
  assert.ok(!('kind' in result), 'message' in result ? result.message : '');
  return result;
}

/** Plans, and asserts that it is a refusal. */
export function refused(difference: Parameters<typeof anInput>[0]): Refusal {
  const result = plan(anInput(difference));
  assert.ok('kind' in result, 'expected a refusal, got a plan');
  return result;
}

const MARKS: Readonly<Record<Step['kind'], string>> = {
  write: '+',
  replace: '~',
  overwrite: '~',
  remove: '-',
};

/** Returns the phases of a plan, each on one line. */
export function outline({ phases }: Plan): string[] {
  return phases.map(
    ({ name, steps }) =>
      `${name}: ${steps.map(({ kind, path }) => `${MARKS[kind]}${path.split('/').at(-1)}`).join(' ')}`,
  );
}
