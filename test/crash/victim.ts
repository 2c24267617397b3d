/** An ESP that is damaged again and again, and what the program says of it. */
import { cpSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import type { Context } from '../../src/context.ts';
import { EspError } from '../../src/error.ts';
import { plain } from '../../src/process/styled-text.ts';
import { aSystemdBoot, MAIN } from '../command/a-machine.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { usedBy } from '../support/used-by.ts';
import { type Done, damageOne } from './damage.ts';
import type { Tally } from './figures.ts';
import { LieDetector, type Told, VERBS, type Verb } from './lies.ts';
import { type Random, randomOf } from './random.ts';
import { type FolderTree, readFolder } from './tree.ts';
import { Truth } from './truth.ts';
import { type Payload, smallPayload, World } from './world.ts';

/** How a world that suffers is installed. */
interface Tortured {
  readonly name: string;
  readonly settings: (world: World) => readonly string[];
}

const thin = (world: World): readonly string[] => {
  const stub = join(world.root, 'thin.stub');
  writeFileSync(stub, aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] }));
  return ['--format', 'thin', '--stub', stub];
};

/** Every format, with a key and without. */
export const TORTURED: readonly Tortured[] = [
  { name: 'uki', settings: () => [] },
  { name: 'uki-signed', settings: (world) => world.signedBy('key') },
  { name: 'type1', settings: () => ['--format', 'type1'] },
  {
    name: 'type1-signed',
    settings: (world) => ['--format', 'type1', '--sign-kernels', ...world.signedBy('key')],
  },
  { name: 'shared', settings: () => ['--format', 'shared'] },
  {
    name: 'shared-signed',
    settings: (world) => ['--format', 'shared', ...world.signedBy('key')],
  },
  { name: 'thin', settings: thin },
  { name: 'thin-signed', settings: (world) => [...thin(world), ...world.signedBy('key')] },
];

/** Small parts, and a loader of more than a few sectors: damage hits a part of it, as of a real one. */
const CODE = { name: '.code', bytes: countingBytes(24 * 1024) };
const PAYLOAD: Payload = { ...smallPayload(), loader: (version) => aSystemdBoot(version, CODE) };

/** How a case is shown. */
interface Telling {
  readonly say: (text: string) => void;
  /** Whether all is told that is done, and not lies alone. */
  readonly isTold: boolean;
}

/** Damage that one case does at most, and verbs that it runs before the last ones. */
const MOST_DAMAGE = 4;
const MOST_VERBS = 4;
/** Whatever was run before: one run heals, and one that reads every byte then has nothing to say. */
const LAST: readonly Verb[] = ['repair', 'verify --deep', 'install'];

export class Victim {
  readonly tally: Tally;
  readonly #world: World;
  readonly #settings: readonly string[];
  readonly #detector: LieDetector;
  readonly #esp: string;

  private constructor(name: string, world: World, settings: readonly string[], truth: Truth) {
    this.tally = { world: name, cases: 0, runs: 0, lies: 0, damages: {}, ends: {} };
    this.#world = world;
    this.#settings = settings;
    this.#detector = new LieDetector(truth);
    this.#esp = join(world.root, 'damaged');
  }

  /** Makes a world with three generations, two of which share an initrd, that other people's tools find whole. */
  static async of({ name, settings }: Tortured, root: string): Promise<Victim> {
    const world = new World(root, PAYLOAD);
    world.brings('257');
    mkdirSync(join(root, 'efivars'));
    for (const [index, note] of ['old', 'shared', 'shared'].entries()) {
      world.generation(index + 1, note);
    }
    world.boots(2);
    const all = world.settings(...settings(world));
    world.put('EFI/Microsoft/Boot/bootmgfw.efi', aPe({ sections: [CODE] }));
    world.put('EFI/nixos/notes.txt', 'somebody keeps notes here\n');
    age(root);
    world.run(['install', ...all]);
    const good = readFolder(world.esp);
    return new Victim(name, world, all, new Truth(world, good, good));
  }

  /** Damages a whole ESP, runs verbs on it, and counts the lies. */
  async suffer(seed: number, index: number, { say, isTold }: Telling): Promise<void> {
    const random = randomOf(seed, `${this.tally.world} ${index}`);
    rmSync(this.#esp, { recursive: true, force: true });
    cpSync(this.#world.esp, this.#esp, { recursive: true });
    const damage = this.#damage(random);
    const where = `${this.tally.world}, case ${index}: ${damage.map(({ text }) => text).join('; ')}`;
    if (isTold) say(where);
    this.tally.cases++;
    let previous: Told | undefined;
    for (const verb of [...someVerbs(random), ...LAST]) {
      const before = snapshot(this.#esp);
      const { status, said } = await this.#run(verb, isTold);
      const after = snapshot(this.#esp);
      const told = { verb, status, before, after };
      const lies = this.#detector.lies(told, previous);
      previous = told;
      this.tally.runs++;
      this.tally.lies += lies.length;
      const end = `${verb} ${status}`;
      this.tally.ends[end] = (this.tally.ends[end] ?? 0) + 1;
      if (isTold) say(`$ ${verb}: ${status}\n${said}`);
      if (lies.length > 0)
        say(
          `LIE ${where}\n  ${verb} ${status}: ${lies.join('; ')}\n    ${said.replaceAll('\n', '\n    ')}`,
        );
    }
  }

  #damage(random: Random): readonly Done[] {
    const done = Array.from(
      { length: 1 + random.below(MOST_DAMAGE) },
      () => damageOne(this.#esp, random) ?? [],
    ).flat();
    for (const { kind } of done) this.tally.damages[kind] = (this.tally.damages[kind] ?? 0) + 1;
    return done;
  }

  /** Runs a verb in this process, which costs a tenth of another one. */
  async #run(verb: Verb, isTold: boolean): Promise<{ status: number; said: string }> {
    const lines: string[] = [];
    const args = [...verb.split(' '), ...this.#settings, ...this.#world.onDirectory(this.#esp)];
    try {
      const quietly = isTold ? args : [...args, '--quiet'];
      const status = await run(usedBy(quietly), '0.0.0', this.#context(lines));
      return { status, said: lines.join('\n') };
    } catch (error) {
      if (!(error instanceof EspError))
        return { status: 70, said: String(error instanceof Error ? error.stack : error) };
      return {
        status: error.status,
        said: [...lines, `${error.code}: ${error.message}`].join('\n'),
      };
    }
  }

  #context(lines: string[]): Context {
    const real = processContext(pathToFileURL(MAIN));
    return {
      ...real,
      environment: {
        XDG_RUNTIME_DIR: this.#world.root,
        ESPALIER_EFIVARS: join(this.#world.root, 'efivars'),
      },
      uid: real.uid || 1,
      print: (text) => void lines.push(plain(text)),
    };
  }
}

/** Makes every file an hour old: what was only just written may still change, and no cache trusts it. */
function age(folder: string): void {
  const hourAgo = Date.now() / 1000 - 3600;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), hourAgo, hourAgo);
  }
}

function someVerbs(random: Random): readonly Verb[] {
  return Array.from(
    { length: random.below(MOST_VERBS + 1) },
    () => VERBS[random.below(VERBS.length)] ?? 'install',
  );
}

/** Returns what lies there now, with every content kept: the next run may change it. */
function snapshot(esp: string): FolderTree {
  const tree = readFolder(esp);
  const contents = new Map([...tree.files.keys()].map((path) => [path, tree.read(path)]));
  return { ...tree, read: (path) => contents.get(path) ?? new Uint8Array() };
}
