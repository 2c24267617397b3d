/** One scenario's moments, each rebuilt, judged, mended and brought to its end. */
import { copyFileSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../lab/run.ts';
import { checkImage, mendImage } from './fsck.ts';
import { type Finding, type Judgement, judgeTree, type Window } from './judge.ts';
import { randomOf } from './random.ts';
import type { Recording } from './recording.ts';
import { epochsOf, replay } from './replay.ts';
import { differences, readFolder, readImage, type Tree } from './tree.ts';
import { LOADER_CONF, Truth } from './truth.ts';

/** How thorough a trial is. */
export interface Effort {
  readonly seed: number;
  /** Subsets of writes to look at in each epoch. */
  readonly samples: number;
}

/** What a trial came to. */
export interface Trial {
  readonly scenario: string;
  readonly writes: number;
  readonly epochs: number;
  readonly prefixes: number;
  readonly reorderings: number;
  /** Different trees that were brought to their end by another run. */
  readonly reruns: number;
  readonly windows: Readonly<Record<string, number>>;
  readonly findings: readonly (Finding & { readonly cut: string })[];
}

/** Where a trial works: the program that is run again, and a directory for images and trees. */
export interface Bench {
  readonly bundle: string;
  readonly folder: string;
}

const DONE: readonly (number | undefined)[] = [0, 5];

/** Judges every moment of a recording. */
export function tryRecording(recording: Recording, bench: Bench, effort: Effort): Trial {
  const epochs = epochsOf(recording.requests);
  const at = (name: string): string => join(bench.folder, name);
  const truth = new Truth(
    recording.world,
    readImage(recording.before, at('before')),
    readImage(recording.after, at('after')),
  );
  const court = new Court(recording, bench, truth);
  const counts = { prefix: 0, reordering: 0 };
  const windows: Record<string, number> = {};
  const findings: (Finding & { cut: string })[] = [];
  const random = randomOf(effort.seed, recording.scenario.name);
  const image = at('state.img');
  for (const cut of replay(recording.before, image, epochs, { ...effort, random })) {
    counts[cut.kind]++;
    const judgement = court.judge(image);
    for (const window of new Set(judgement.windows)) windows[window] = (windows[window] ?? 0) + 1;
    findings.push(...judgement.findings.map((finding) => ({ ...finding, cut: cut.name })));
  }
  return {
    scenario: recording.scenario.name,
    writes: epochs.flat().length,
    epochs: epochs.length,
    prefixes: counts.prefix,
    reorderings: counts.reordering,
    reruns: court.reruns,
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
  readonly #mended = new Map<string, Judgement>();

  constructor(recording: Recording, bench: Bench, truth: Truth) {
    this.#recording = recording;
    this.#bench = bench;
    this.#truth = truth;
  }

  get reruns(): number {
    return this.#ends.size;
  }

  judge(image: string): Judgement {
    const tree = readImage(image, join(this.#bench.folder, 'state'));
    const judgement = judgeTree(tree, this.#truth);
    const mended = this.#mend(image, tree);
    return join2(judgement, mended, this.#end(tree));
  }

  /** What `fsck.fat -a` makes of an image is sound, and keeps every promise as well. */
  #mend(image: string, tree: Tree): Judgement {
    const { complaints } = checkImage(image);
    const key = `${tree.identity} ${complaints.join('|')}`;
    const known = this.#mended.get(key);
    if (known) return known;
    const copy = join(this.#bench.folder, 'mended.img');
    copyFileSync(image, copy);
    const left = mendImage(copy);
    const isFragment = left.complaints.every((line) => FRAGMENT.test(line));
    const after = readImage(copy, join(this.#bench.folder, 'mended'));
    const result = join2(
      judgeTree(after, this.#truth),
      this.#end(after),
      left.isClean
        ? NOTHING
        : isFragment
          ? { findings: [], windows: ['name-fragment'] }
          : {
              findings: [{ clause: 'file-system', what: left.complaints.join('; ') }],
              windows: [],
            },
    );
    this.#mended.set(key, result);
    return result;
  }

  /** The next run brings a tree to where the uninterrupted one ended. */
  #end(tree: Tree): Judgement {
    const known = this.#ends.get(tree.identity);
    if (known) return known;
    const result = this.#rerun(tree);
    this.#ends.set(tree.identity, result);
    return result;
  }

  #rerun(tree: Tree): Judgement {
    const { scenario, world } = this.#recording;
    const esp = join(this.#bench.folder, 'rerun');
    rmSync(esp, { recursive: true, force: true });
    cpSync(tree.folder, esp, { recursive: true });
    const args = [...scenario.action(world), ...world.onDirectory(esp)];
    const { status, stderr } = attempt(process.execPath, [this.#bench.bundle, ...args]);
    if (!DONE.includes(status)) {
      return {
        findings: [{ clause: 'convergence', what: `the next run ended with ${status}: ${stderr}` }],
        windows: [],
      };
    }
    const different = differences(readFolder(esp), this.#truth.after).filter(
      (path) => !RECOVERED.test(path),
    );
    const isLost = tree.files.get(LOADER_CONF)?.size !== 512;
    const windows: Window[] = isLost && different.join() === LOADER_CONF ? ['settings-lost'] : [];
    return windows.length > 0 || different.length === 0
      ? { findings: [], windows }
      : {
          findings: [
            { clause: 'convergence', what: `after the next run differ: ${different.join(', ')}` },
          ],
          windows,
        };
  }
}

/** What fsck.fat makes of clusters that no file has. */
const RECOVERED = /^FSCK\d{4}\.REC$/;
const NOTHING: Judgement = { findings: [], windows: [] };
const FRAGMENT =
  /^(Long filename fragment|\(Maybe the start bit is missing|Not auto-correcting this|Orphaned long file name part|Auto-deleting)/;

function join2(...judgements: readonly Judgement[]): Judgement {
  return {
    findings: judgements.flatMap(({ findings }) => findings),
    windows: judgements.flatMap(({ windows }) => windows),
  };
}
