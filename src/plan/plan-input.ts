/** Everything that a plan depends on. */
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import type { Extras } from './extras.ts';
import type { Roots } from './roots.ts';
import type { Scope } from './scope.ts';
import type { Content, LeftOut } from './step.ts';
import type { WantedGeneration } from './wanted.ts';

/** A copy of the boot loader to write. `size` in bytes, an upper bound. */
export interface LoaderCopy {
  readonly path: EspPath;
  readonly size: number;
  /** Size in bytes of the present file; 0 when there is none. */
  readonly replaces: number;
  readonly content: Content;
  readonly because: string;
}

/** A file in a boot loader's place that is removed in the end. Size in bytes. */
export interface UnusedLoader {
  readonly path: EspPath;
  readonly size: number;
  readonly because: string;
}

/** Everything that a plan depends on. */
export interface PlanInput {
  readonly inventory: Inventory;
  /** ID of the entry that boots next. It belongs to one of the `musts`. */
  readonly default: string;
  /** Generations that must be on the ESP: the target and protected ones. */
  readonly musts: readonly WantedGeneration[];
  /** Generations that should be on the ESP if they fit, the most important first. */
  readonly wishes: readonly WantedGeneration[];
  /** Generations that are not wanted, and why. */
  readonly leftOut: readonly LeftOut[];
  readonly roots: Roots;
  /** Copies of the loader to write, one after the other. */
  readonly loaders: readonly LoaderCopy[];
  /** What is removed of them once all others are as they should be; absent when nothing is. */
  readonly unusedLoaders?: readonly UnusedLoader[];
  /** The content of loader.conf: one sector of text. */
  readonly loaderConf: string;
  /** In bytes. Space to keep free for others. */
  readonly reserve: number;
  readonly scope: Scope;
  /** Nothing that is there says what boots next: a repair then brings that, too. */
  readonly lacksNext: boolean;
  /** Files besides those of generations; absent when there are none. */
  readonly extras?: Pick<Extras, 'wanted' | 'named'>;
}
