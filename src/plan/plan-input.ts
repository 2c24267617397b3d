/** Everything that decides a plan. */
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import type { Extras } from './extras.ts';
import type { Roots } from './roots.ts';
import type { Scope } from './scope.ts';
import type { Content, LeftOut } from './step.ts';
import type { WantedGeneration } from './wanted.ts';

/** A copy of the boot loader that has to be written. `size` in bytes, an upper bound. */
export interface LoaderCopy {
  readonly path: EspPath;
  readonly size: number;
  /** Bytes of the file that is there now; 0 when there is none. */
  readonly replaces: number;
  readonly content: Content;
  readonly because: string;
}

/** Everything that decides a plan. */
export interface PlanInput {
  readonly inventory: Inventory;
  /** The ID of the entry that boots next; it belongs to one of the `musts`. */
  readonly default: string;
  /** Generations that must be on the ESP: the target and the protected ones. */
  readonly musts: readonly WantedGeneration[];
  /** Generations that should be on the ESP as far as space goes, the dearest first. */
  readonly wishes: readonly WantedGeneration[];
  /** Generations that are not wanted, with the reason. */
  readonly leftOut: readonly LeftOut[];
  readonly roots: Roots;
  /** Copies of the loader to write, one after the other. */
  readonly loaders: readonly LoaderCopy[];
  /** Content of loader.conf: one sector of text. */
  readonly loaderConf: string;
  /** Bytes to keep free for others. */
  readonly reserve: number;
  readonly scope: Scope;
  /** Files beside the generations; absent when there are none. */
  readonly extras?: Pick<Extras, 'wanted' | 'named'>;
}
