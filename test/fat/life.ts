/** Random lives of a FAT: the same steps on ours and on a plain map of paths to contents. */
import fc from 'fast-check';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';

/** One step of a life. Names are indexes into {@link NAMES}, directories into {@link DIRECTORIES}. */
export type Step =
  | { readonly kind: 'write'; readonly at: Place; readonly size: number; readonly byte: number }
  | { readonly kind: 'rename'; readonly at: Place; readonly to: Place }
  | { readonly kind: 'remove'; readonly at: Place }
  | { readonly kind: 'overwrite'; readonly at: Place; readonly byte: number }
  | { readonly kind: 'directory'; readonly directory: number }
  | { readonly kind: 'slots'; readonly directory: number };

interface Place {
  readonly directory: number;
  readonly name: number;
}

const DIRECTORIES = ['', 'EFI', 'EFI/Linux', 'loader', 'loader/entries', 'long directory name'];
const NAMES = [
  'A.EFI',
  'kernel.efi',
  'BOOTX64.EFI',
  'loader.conf',
  '.espalier-0-1.tmp',
  'ESPL0001.TMP',
  'nixos-generation-1-abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqr.efi',
  'nixos-generation-2-abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqr.efi',
  ...Array.from({ length: 14 }, (_, index) => `nixos-generation-${index}.conf`),
  'x'.repeat(255),
  'thirteen char',
  'two  blanks and.dots.in.it',
  'ünïcödé-☃-名前.txt',
  'Ünïcödé-☃-名前.TXT.bak',
  '🦊 fox.efi',
  '.hidden',
  'a+b,[c];=d',
];

const place: fc.Arbitrary<Place> = fc.record({
  directory: fc.nat(DIRECTORIES.length - 1),
  name: fc.nat(NAMES.length - 1),
});
const size = fc.oneof(fc.constantFrom(0, 1, 511, 512, 513, 4096), fc.nat(20_000));
const directory = fc.nat(DIRECTORIES.length - 1);

export const anyLife: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        at: place,
        size,
        byte: fc.nat(255),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('rename' as const), at: place, to: place }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), at: place }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('overwrite' as const),
        at: place,
        byte: fc.nat(255),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('directory' as const), directory }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('slots' as const), directory }) },
  ),
  { minLength: 1, maxLength: 40 },
);

/** Returns whether a step is about no names but those of ASCII, which every mount takes. */
export function isPlain(step: Step): boolean {
  const places = 'at' in step ? [step.at, ...('to' in step ? [step.to] : [])] : [];
  return places.every(({ name }) => /^[ -~]*$/.test(NAMES[name] ?? ''));
}

/** What a FAT should hold: contents by path, and directories. Case does not tell names apart. */
export class Model {
  readonly files = new Map<string, Uint8Array>();
  readonly directories = new Set<string>(['']);

  find(path: string): string | undefined {
    return [...this.files.keys()].find((each) => isSame(each, path));
  }
}

function isSame(a: string, b: string): boolean {
  return a.toUpperCase() === b.toUpperCase();
}

function pathOf({ directory: at, name }: Place): string {
  const above = DIRECTORIES[at] ?? '';
  return above === '' ? (NAMES[name] ?? '') : `${above}/${NAMES[name]}`;
}

/** Lives one step on both. A disk that is full leaves everything as it was. */
export async function live(step: Step, disk: WritableDisk, model: Model): Promise<void> {
  try {
    await act(step, disk, model);
  } catch (error) {
    if (!(error instanceof EspError && error.code === 'ESP_FULL')) throw error;
  }
}

/** What a step is about: the path that it names, and the path there by the spelling that stayed. */
interface Ground {
  readonly disk: WritableDisk;
  readonly model: Model;
  readonly path: string;
  readonly known: string | undefined;
}

async function act(step: Step, disk: WritableDisk, model: Model): Promise<void> {
  if (step.kind === 'directory' || step.kind === 'slots') return grow(step, disk, model);
  const path = pathOf(step.at);
  if (!model.directories.has(DIRECTORIES[step.at.directory] ?? '')) return;
  const ground = { disk, model, path, known: model.find(path) };
  if (step.kind === 'write') await write(step, ground);
  else if (step.kind === 'rename') rename(step, ground);
  else if (step.kind === 'overwrite') await overwrite(step, ground);
  else {
    disk.remove(`/boot/${path}`);
    model.files.delete(ground.known ?? '');
  }
}

async function write(
  { size: length, byte }: Extract<Step, { kind: 'write' }>,
  { disk, model, path, known }: Ground,
): Promise<void> {
  if (known !== undefined) return;
  const content = new Uint8Array(length).fill(byte);
  const file = await disk.create(`/boot/${path}`);
  model.files.set(path, new Uint8Array());
  try {
    await file.write(content.subarray(0, 700));
    await file.write(content.subarray(700));
    await file.finish();
    model.files.set(path, content);
  } catch (error) {
    await file.abandon();
    disk.remove(`/boot/${path}`);
    model.files.delete(path);
    throw error;
  }
}

function rename({ to }: Extract<Step, { kind: 'rename' }>, ground: Ground): void {
  const { disk, model, path, known } = ground;
  const target = pathOf(to);
  const hasParent = model.directories.has(DIRECTORIES[to.directory] ?? '');
  if (known === undefined || !hasParent || isSame(known, target)) return;
  disk.rename(`/boot/${path}`, `/boot/${target}`);
  const content = model.files.get(known) ?? new Uint8Array();
  model.files.delete(known);
  // The first spelling of a name stays.
  model.files.set(model.find(target) ?? target, content);
}

async function overwrite(
  { byte }: Extract<Step, { kind: 'overwrite' }>,
  { disk, model, path, known = '' }: Ground,
): Promise<void> {
  const content = model.files.get(known);
  if (content === undefined || content.length === 0) return;
  const length = Math.min(content.length, 512);
  await disk.overwrite(`/boot/${path}`, new Uint8Array(length).fill(byte));
  model.files.set(known, Uint8Array.from(content).fill(byte, 0, length));
}

function grow(
  { kind, directory: index }: Extract<Step, { directory: number }>,
  disk: WritableDisk,
  model: Model,
): void {
  const path = DIRECTORIES[index] ?? '';
  if (kind === 'slots') {
    if (model.directories.has(path)) disk.useSlots?.(`/boot/${path}`, 64);
    return;
  }
  disk.makeDirectory(`/boot/${path}`);
  const parts = path.split('/');
  for (let end = 1; end <= parts.length; end++)
    model.directories.add(parts.slice(0, end).join('/'));
}
