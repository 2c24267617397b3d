/** What may become of files on an ESP: by bad memory, a bad disk, other programs and people. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { type Certificates, certificatesOf } from './pe-section.ts';
import type { Random } from './random.ts';

/** The files of one ESP, and where the next damage falls. */
interface Scene {
  readonly esp: string;
  /** Paths on the ESP, in order. */
  readonly paths: readonly string[];
  readonly random: Random;
}

/** Does one damage to a file, and returns what it did in a few words; undefined where it cannot. */
type Damage = (path: string, scene: Scene) => string | undefined;

const SECTOR = 512;
/** Headers and signatures lie at the ends of programs: they are hit as often as all that is between. */
const EDGE = 2048;

/** Every kind of damage by its name. */
export const DAMAGES = {
  bits: edit((bytes, random) => {
    const count = 1 + random.below(4);
    for (let flipped = 0; flipped < count; flipped++) {
      const at = somewhere(bytes.length, random);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return bytes;
  }),
  sector: edit((bytes, random) => {
    const at = somewhere(bytes.length, random) & -SECTOR;
    const filler = [0, 0xff, 0xf6][random.below(4)];
    const from = somewhere(bytes.length, random) & -SECTOR;
    if (filler === undefined) bytes.copyWithin(at, from, from + SECTOR);
    else bytes.subarray(at, at + SECTOR).fill(filler);
    return bytes;
  }),
  cut: edit((bytes, random) => {
    const length = random.coin() ? random.below(bytes.length) : somewhere(bytes.length, random);
    return bytes.subarray(0, random.coin() ? length : length & -SECTOR);
  }),
  grown: edit((bytes, random) =>
    Buffer.concat([bytes, Buffer.alloc(1 + random.below(3 * SECTOR), random.coin() ? 0 : 0x41)]),
  ),
  blank: edit((bytes, random) => bytes.fill(random.coin() ? 0 : 0xff)),
  text: edit((bytes, random) => {
    if (bytes.includes(0)) return undefined;
    const lines = Buffer.from(bytes).toString('latin1').split('\n');
    const at = random.below(lines.length);
    const line = lines[at] ?? '';
    const changed = [[], [line, line], [line.toUpperCase()], [line.replace(/\d/, '0'), '#']];
    lines.splice(at, 1, ...(changed[random.below(changed.length)] ?? []));
    return Buffer.from(lines.join('\n'), 'latin1');
  }),
  'signature lost': editSignature((bytes, { at, directory }) => {
    bytes.fill(0, directory, directory + 8);
    return bytes.subarray(0, at);
  }),
  'signature zeroed': editSignature((bytes, { at }, random) =>
    bytes.fill(0, at + 8 + random.below(Math.max(1, bytes.length - at - 8))),
  ),
  'signature of another': (path, { esp, paths, random }) => {
    const other = oneOf(paths, random);
    const [own, foreign] = [path, other].map((each) => fs.readFileSync(join(esp, each)));
    const [to, from] = [own, foreign].map((each) => each && certificatesOf(each));
    if (other === path || !own || !foreign || !to || !from) return undefined;
    const signature = foreign.subarray(from.at);
    own.writeUInt32LE(signature.length, to.directory + 4);
    fs.writeFileSync(join(esp, path), Buffer.concat([own.subarray(0, to.at), signature]));
    return `of ${other}`;
  },
  gone: (path, { esp }) => {
    fs.rmSync(join(esp, path));
    return '';
  },
  'a directory': (path, { esp }) => {
    fs.rmSync(join(esp, path));
    fs.mkdirSync(join(esp, path));
    return '';
  },
  swapped: (path, { esp, paths, random }) => {
    const other = oneOf(paths, random);
    if (other === path) return undefined;
    const [a, b] = [path, other].map((each) => fs.readFileSync(join(esp, each)));
    fs.writeFileSync(join(esp, path), b ?? '');
    fs.writeFileSync(join(esp, other), a ?? '');
    return `with ${other}`;
  },
  overwritten: (path, { esp, paths, random }) => {
    const other = oneOf(paths, random);
    if (other === path) return undefined;
    fs.copyFileSync(join(esp, other), join(esp, path));
    return `by ${other}`;
  },
  renamed: (path, { esp, paths, random }) => {
    const other = join(dirname(oneOf(paths, random)), `FSCK000${random.below(10)}.REC`);
    fs.renameSync(join(esp, path), join(esp, other));
    return `to ${other}`;
  },
} as const satisfies Record<string, Damage>;

export type DamageName = keyof typeof DAMAGES;
const NAMES = Object.keys(DAMAGES) as readonly DamageName[];

/** One damage that was done. */
export interface Done {
  readonly kind: DamageName;
  readonly text: string;
}

/** Does one damage of any kind to any file, each kind of file as often as another. */
export function damageOne(esp: string, random: Random): Done | undefined {
  const paths = fs
    .readdirSync(esp, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(esp.length + 1))
    .sort(byNameAndSize(esp));
  if (paths.length === 0) return undefined;
  const folders = [...Map.groupBy(paths, dirname).values()];
  const path = oneOf(oneOf(folders, random), random);
  const kind = oneOf(NAMES, random);
  const how = DAMAGES[kind](path, { esp, paths, random });
  return how === undefined ? undefined : { kind, text: `${path} ${kind} ${how}`.trim() };
}

/** Digests in names are those of keys that each run makes: the order does without them. */
function byNameAndSize(esp: string): (a: string, b: string) => number {
  const name = (path: string): string => path.replace(/[a-z2-7]{52}/, '');
  const size = (path: string): number => fs.statSync(join(esp, path)).size;
  return (a, b) => Number(name(a) > name(b)) - Number(name(a) < name(b)) || size(a) - size(b);
}

function oneOf<T>(all: readonly T[], random: Random): T {
  const one = all[random.below(all.length)];
  if (one === undefined) throw new RangeError('"all" expected at least one, got none');
  return one;
}

/** Returns an offset in a file: near its beginning, near its end, or anywhere. */
function somewhere(length: number, random: Random): number {
  const edge = Math.min(length, EDGE);
  const choices = [random.below(edge), length - 1 - random.below(edge), random.below(length)];
  return choices[random.below(choices.length)] ?? 0;
}

/** A damage that changes the bytes of a file that has any, if it can. */
function edit(change: (bytes: Buffer, random: Random) => Uint8Array | undefined): Damage {
  return (path, { esp, random }) => {
    const bytes = fs.readFileSync(join(esp, path));
    if (bytes.length === 0) return undefined;
    const changed = change(bytes, random);
    if (changed === undefined) return undefined;
    fs.writeFileSync(join(esp, path), changed);
    return '';
  };
}

function editSignature(
  change: (bytes: Buffer, where: Certificates, random: Random) => Uint8Array,
): Damage {
  return (path, { esp, random }) => {
    const bytes = fs.readFileSync(join(esp, path));
    const where = certificatesOf(bytes);
    if (where === undefined) return undefined;
    fs.writeFileSync(join(esp, path), change(bytes, where, random));
    return '';
  };
}
