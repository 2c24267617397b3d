/** One scenario's moments: each rebuilt, judged, mended, and brought to its end by another run. */
import { copyFileSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attempt } from '../lab/run.ts';
import { choiceOf } from './boot-menu.ts';
import { type Checkup, checkImage, hasBrokenDirectory, isFragment, mendImage } from './fsck.ts';
import { type Finding, type Judgement, judgeTree } from './judge.ts';
import type { Effort, Moment } from './moments.ts';
import { randomOf } from './random.ts';
import { DONE, type Recording } from './recording.ts';
import { epochsOf, replay } from './replay.ts';
import { ImageReader, type Numbered, readFolder, readImage, type Tree } from './tree.ts';
import { Truth, type Window } from './truth.ts';

/** A finding, and the moment at which it was made. */
export type Found = Finding & { readonly cut: string };

/** What a trial came to. */
export interface Trial {
  readonly truth: Truth;
  readonly writes: number;
  readonly epochs: number;
  readonly prefixes: number;
  readonly reorderings: number;
  readonly moments: readonly Moment[];
  /** How many moments each window lasts. */
  readonly windows: Readonly<Partial<Record<Window, number>>>;
  readonly findings: readonly Found[];
}

/** Where a trial works: the program that is run again, and a directory for images and trees. */
export interface Bench {
  readonly bundle: string;
  readonly folder: string;
}

/** Judges every moment of a recording. */
export function tryRecording(recording: Recording, bench: Bench, effort: Effort): Trial {
  const at = (name: string): string => join(bench.folder, name);
  const truth = new Truth(
    recording.world,
    readImage(recording.before, at('before')),
    readImage(recording.after, at('after')),
  );
  const court = new Court(recording, bench, truth);
  const epochs = epochsOf(recording.requests);
  const random = randomOf(effort.seed, recording.scenario.name);
  const counts = { prefix: 0, reordering: 0 };
  const windows: Partial<Record<Window, number>> = {};
  const moments: Moment[] = [];
  const findings: Found[] = [];
  const image = at('state.img');
  for (const cut of replay(recording.before, image, epochs, { ...effort, random })) {
    counts[cut.kind]++;
    const { moment, judgement } = court.judge(image, cut.disk);
    moments.push({ ...moment, index: moments.length, cut: cut.name });
    for (const window of new Set(judgement.windows)) windows[window] = (windows[window] ?? 0) + 1;
    findings.push(...judgement.findings.map((finding) => ({ ...finding, cut: cut.name })));
  }
  return {
    truth,
    writes: epochs.flat().length,
    epochs: epochs.length,
    prefixes: counts.prefix,
    reorderings: counts.reordering,
    moments,
    windows,
    findings,
  };
}

/** Judges images; what it has seen already it does not run again. */
class Court {
  readonly #recording: Recording;
  readonly #bench: Bench;
  readonly #truth: Truth;
  readonly #ends = new Map<string, Judgement>();
  readonly #judged = new Map<string, Judgement>();
  readonly #checkups = new Map<string, Checkup>();
  readonly #reader = new ImageReader();

  constructor(recording: Recording, bench: Bench, truth: Truth) {
    this.#recording = recording;
    this.#bench = bench;
    this.#truth = truth;
  }

  /** Judges an image, a file with the content of `disk`. */
  judge(
    image: string,
    disk: Numbered,
  ): { moment: Omit<Moment, 'index' | 'cut'>; judgement: Judgement } {
    const { tree, structure, isHiding } = this.#reader.read(disk);
    const checkup = remembered(this.#checkups, structure, () => checkImage(image));
    const isRefused = hasBrokenDirectory(checkup) && this.#truth.boots(this.#truth.before);
    const starts = this.#truth.boots(tree) && !isRefused ? choiceOf(tree)?.id : undefined;
    const moment = {
      kind: `${tree.identity} ${checkup.complaints.join('|')} ${isHiding}`,
      isHiding,
      isSound: checkup.complaints.length === 0,
      ...(starts === undefined ? {} : { starts }),
    };
    const judgement = remembered(this.#judged, moment.kind, () =>
      allOf(judgeTree(tree, this.#truth), this.#mend(image, checkup), this.#end(tree)),
    );
    const windows: Window[] = [
      ...(isRefused ? (['grown-directory'] as const) : []),
      ...(isHiding ? (['hidden-names'] as const) : []),
    ];
    return { moment, judgement: allOf(judgement, { findings: [], windows }) };
  }

  /** What `fsck.fat -a` makes of an image is sound, and keeps every promise as well. */
  #mend(image: string, checkup: Checkup): Judgement {
    if (checkup.isClean) return NOTHING;
    const copy = join(this.#bench.folder, 'mended.img');
    copyFileSync(image, copy);
    const left = mendImage(copy);
    const tree = readImage(copy, join(this.#bench.folder, 'mended'));
    return allOf(judgeTree(tree, this.#truth), this.#end(tree), judgeCheckup(left));
  }

  /** The next run brings a tree to where the uninterrupted one ended. */
  #end(tree: Tree): Judgement {
    return remembered(this.#ends, tree.identity, () => this.#rerun(tree));
  }

  #rerun(tree: Tree): Judgement {
    const { scenario, world } = this.#recording;
    const esp = join(this.#bench.folder, 'rerun');
    rmSync(esp, { recursive: true, force: true });
    mkdirSync(esp);
    for (const [index, [path, { start = index }]] of [...tree.files].entries()) {
      mkdirSync(dirname(join(esp, path)), { recursive: true });
      writeFileSync(join(esp, path), tree.read(path));
      // Two names of one file have one time, and no other two: as where each is written by itself.
      utimesSync(join(esp, path), start, start);
    }
    const args = [...scenario.action(world), ...world.onDirectory(esp)];
    const { status, stderr } = attempt(process.execPath, [this.#bench.bundle, ...args], {
      env: world.environment,
    });
    if (!DONE.includes(status)) return broken(`the next run ended with ${status}: ${stderr}`);
    const { different, windows } = this.#truth.endOf(readFolder(esp), tree);
    if (different.length > 0) return broken(`after the next run differ: ${different.join(', ')}`);
    return { findings: [], windows };
  }
}

const NOTHING: Judgement = { findings: [], windows: [] };

function broken(what: string): Judgement {
  return { findings: [{ clause: 'convergence', what }], windows: [] };
}

function judgeCheckup({ isClean, complaints }: Checkup): Judgement {
  if (isClean) return NOTHING;
  return complaints.every(isFragment)
    ? { findings: [], windows: ['name-fragment'] }
    : { findings: [{ clause: 'file-system', what: complaints.join('; ') }], windows: [] };
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

function allOf(...judgements: readonly Judgement[]): Judgement {
  return {
    findings: judgements.flatMap(({ findings }) => findings),
    windows: judgements.flatMap(({ windows }) => windows),
  };
}
