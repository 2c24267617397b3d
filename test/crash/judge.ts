/** What must hold whenever power fails. Shares nothing with the installer. */
import { hash } from 'node:crypto';
import { choiceOf, KNOWLEDGE } from './boot-menu.ts';
import { isLoadable } from './pe-section.ts';
import type { Tree } from './tree.ts';
import {
  ALL_LOADERS,
  EXTRA_ENTRY,
  isForeign,
  KEPT_SETTINGS,
  LOADER_CONF,
  LOADERS,
  PREVIOUS,
  type Truth,
  type Window,
} from './truth.ts';

/** A promise that is judged at every moment. */
export type Clause =
  | 'loader'
  | 'settings'
  | 'entry'
  | 'default'
  | 'foreign'
  | 'file-system'
  | 'convergence'
  | 'boot';

/** A promise that was broken, and how. */
export interface Finding {
  readonly clause: Clause;
  readonly what: string;
}

/** What one moment came to. */
export interface Judgement {
  readonly findings: readonly Finding[];
  readonly windows: readonly Window[];
}

interface Opinion {
  readonly clause: Clause;
  /** Returns what is wrong, if anything is. */
  readonly judge: (tree: Tree, truth: Truth) => readonly string[];
}

const opinions: readonly Opinion[] = [
  {
    clause: 'loader',
    judge(tree, truth) {
      const had = LOADERS.some((path) => truth.isWhole(truth.before, path));
      const has = LOADERS.some((path) => truth.isWhole(tree, path));
      return [
        ...(had && !has ? ['no copy of the boot loader is whole'] : []),
        ...ALL_LOADERS.filter((path) => isTorn(tree, path, truth)).map(
          (path) => `${path} would start and is not whole`,
        ),
      ];
    },
  },
  {
    // With the loader before them they are three, and only one of them is ever in doubt.
    clause: 'loader',
    judge(tree, truth) {
      if (!truth.isWhole(truth.after, PREVIOUS)) return [];
      const [had = 0, has = 0] = [truth.before, tree].map(
        (which) => ALL_LOADERS.filter((path) => truth.isWhole(which, path)).length,
      );
      return has < Math.min(had, 2) ? [`${has} loaders of three are whole`] : [];
    },
  },
  {
    clause: 'settings',
    judge: (tree, truth) =>
      hasTornSettings(tree, truth) && !areSettingsKept(tree, truth)
        ? [`${LOADER_CONF} is neither the old text nor the new one`]
        : [],
  },
  {
    clause: 'entry',
    judge(tree, truth) {
      const [last, now, next] = [truth.before, tree, truth.after].map((which) =>
        truth.bootable(which),
      );
      const lost = last?.filter((path) => next?.includes(path) && !now?.includes(path)) ?? [];
      return [
        ...(last?.length && !now?.length ? ['no entry is whole'] : []),
        ...lost
          .filter((path) => path !== EXTRA_ENTRY)
          .map((path) => `${path} was whole, is wanted, and is not whole`),
        ...newlyBroken(tree, truth)
          .filter((path) => truth.after.files.has(path) && path !== EXTRA_ENTRY)
          .map((path) => `${path} is listed and not whole`),
      ];
    },
  },
  {
    clause: 'default',
    judge(tree, truth) {
      if (!truth.boots(truth.before) || truth.boots(tree)) return [];
      const chosen = KNOWLEDGE.map((knowledge) => choiceOf(tree, knowledge)?.id ?? 'nothing');
      return [`what starts by itself, ${[...new Set(chosen)].join(' or ')}, is not whole`];
    },
  },
  {
    // More than that it boots: what loader.conf was told to name is there by then.
    clause: 'default',
    judge(tree, truth) {
      const conf = (which: Tree) => which.files.get(LOADER_CONF)?.sha256;
      if (conf(tree) !== conf(truth.after) || conf(tree) === conf(truth.before)) return [];
      return KNOWLEDGE.flatMap((knowledge) => {
        const [chosen, meant] = [tree, truth.after].map(
          (which) => choiceOf(which, knowledge)?.path,
        );
        return chosen === meant ? [] : [`${LOADER_CONF} means ${meant}, and ${chosen} starts`];
      });
    },
  },
  {
    clause: 'foreign',
    judge: (tree, { before }) =>
      [...before.files].flatMap(([path, { sha256 }]) =>
        isForeign(path) && tree.files.get(path)?.sha256 !== sha256 ? [`${path} changed`] : [],
      ),
  },
];

/** Judges what lies on an ESP at one moment. */
export function judgeTree(tree: Tree, truth: Truth): Judgement {
  const findings = opinions.flatMap(({ clause, judge }) =>
    judge(tree, truth).map((what) => ({ clause, what })),
  );
  const isLess = (path: string) => truth.isWhole(truth.before, path) && !truth.isWhole(tree, path);
  const hadSettings = (truth.before.files.get(LOADER_CONF)?.size ?? 0) > 0;
  const hasSettings = (tree.files.get(LOADER_CONF)?.size ?? 0) > 0;
  return {
    findings,
    windows: [
      ...(ALL_LOADERS.some(isLess) ? (['one-loader'] as const) : []),
      ...(hadSettings && !hasSettings ? (['no-settings'] as const) : []),
      ...(hasTornSettings(tree, truth) ? (['torn-settings'] as const) : []),
      ...(newlyBroken(tree, truth).some((path) => !truth.after.files.has(path))
        ? (['dying-entry'] as const)
        : []),
      ...(newlyBroken(tree, truth).includes(EXTRA_ENTRY) ? (['replaced-extra'] as const) : []),
    ],
  };
}

/** Tells whether loader.conf is there and neither the old text nor the new one. */
function hasTornSettings(tree: Tree, { before, after }: Truth): boolean {
  const found = tree.files.get(LOADER_CONF);
  const known = [before, after].map(({ files }) => files.get(LOADER_CONF)?.sha256);
  return found !== undefined && found.size > 0 && !known.includes(found.sha256);
}

/** Tells whether the new text is whole in the file beside it, below a line that says what that is. */
function areSettingsKept(tree: Tree, { after }: Truth): boolean {
  if (!tree.files.has(KEPT_SETTINGS)) return false;
  const kept = tree.read(KEPT_SETTINGS);
  const text = kept.subarray(kept.indexOf(0x0a) + 1);
  return hash('sha256', text) === after.files.get(LOADER_CONF)?.sha256;
}

/** Returns the paths of entries that are listed, are not whole, and were not listed so before. */
function newlyBroken(tree: Tree, truth: Truth): string[] {
  const broken = truth.unwhole(truth.before);
  return truth.unwhole(tree).filter((path) => !broken.includes(path));
}

/**
 * A copy that was whole and now is a program with other content, which firmware would start. It starts
 * none that was cut short, by the loss of its clusters or by fsck.fat after that.
 */
function isTorn(tree: Tree, path: string, truth: Truth): boolean {
  const found = tree.files.get(path);
  if (found === undefined || found.isCutOff || truth.isWhole(tree, path)) return false;
  if (found.sha256 === truth.before.files.get(path)?.sha256) return false;
  return isLoadable(tree.read(path));
}
