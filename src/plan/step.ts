/** A plan as data: what will happen to one ESP, in phases with a barrier after each. */
import type { Digest } from '../digest.ts';
import type { EspPath } from '../esp/layout.ts';
import type { ImageName } from './images.ts';

/** The bytes of a file to be written, as a recipe. Paths are absolute, outside the ESP. */
export type Content =
  | { readonly kind: 'text'; readonly text: string }
  /** The 32 bytes of a digest. */
  | { readonly kind: 'digest'; readonly digest: Digest }
  /** The file as it is. */
  | { readonly kind: 'file'; readonly path: string }
  /** A PE file with our Authenticode signature added. */
  | { readonly kind: 'signed'; readonly path: string }
  | ImageContent;

/** An image: a stub with sections, signed when a certificate is given. */
export interface ImageContent {
  readonly kind: ImageName;
  readonly stub: string;
  readonly sections: readonly SectionContent[];
}

/** Whether content is an image, and so laid out and signed as it is written. */
export function isImage(content: Content): content is ImageContent {
  return 'sections' in content;
}

/** One section of an image that does not come from the stub. Sizes in bytes. */
export interface SectionContent {
  readonly name: string;
  readonly digest: Digest;
  readonly size: number;
  readonly content: Extract<Content, { kind: 'text' | 'digest' | 'file' }>;
}

/** One change. `size` is in bytes; of an image that will be signed, an upper bound. */
export type Step =
  /** A file under a name that nothing depends on yet, or whose file is damaged. */
  | {
      readonly kind: 'write';
      readonly path: EspPath;
      readonly size: number;
      readonly content: Content;
      readonly because: string;
    }
  /** A fixed name that gets new content by rename: a loader copy, a foreign loader.conf. */
  | {
      readonly kind: 'replace';
      readonly path: EspPath;
      readonly size: number;
      readonly content: Content;
      readonly because: string;
    }
  /** One sector, overwritten where it lies. */
  | {
      readonly kind: 'overwrite';
      readonly path: EspPath;
      readonly size: number;
      readonly content: Extract<Content, { kind: 'text' }>;
      readonly because: string;
    }
  | {
      readonly kind: 'remove';
      readonly path: EspPath;
      readonly size: number;
      readonly because: string;
    };

/** The phases, in the order in which they may run. A phase may come twice, a later never earlier. */
export type PhaseName =
  | 'sweep'
  | 'free-entries'
  | 'free-blobs'
  | 'put'
  | 'publish'
  | 'loader'
  | 'default'
  | 'extra-files'
  | 'extra-entries'
  | 'remove-entries'
  | 'remove-blobs'
  | 'remove-lists';

/** Returns the step that removes a file. Size in bytes. */
export function removal(
  { path, size }: { readonly path: EspPath; readonly size: number },
  because: string,
): Step {
  return { kind: 'remove', path, size, because };
}

/** Steps that may run in any order; all of them are durable before the next phase starts. */
export interface Phase {
  readonly name: PhaseName;
  readonly steps: readonly Step[];
}

/** Space on the ESP in bytes, in whole clusters. */
export interface SpaceForecast {
  readonly total: number;
  readonly free: number;
  /** Free space that is kept for others. */
  readonly reserve: number;
  /** The most that will be in use beyond what is in use now, at any moment of the run. */
  readonly peak: number;
  /** Free space when everything is done. */
  readonly after: number;
}

/** A generation that gets no entry, and why. */
export interface LeftOut {
  readonly generation: string;
  readonly because: string;
}

/** What will be done to one ESP. Plain data: printed, compared, applied. */
export interface Plan {
  readonly phases: readonly Phase[];
  /** The ID of the entry that boots next. */
  readonly default: string;
  /** IDs of every entry of ours that is on the ESP when everything is done. */
  readonly entries: readonly string[];
  readonly leftOut: readonly LeftOut[];
  /** Of the volume that has the entries. */
  readonly space: SpaceForecast;
  /** Of the ESP, where that is another volume. */
  readonly espSpace?: SpaceForecast;
}

/** We chose not to start: nothing was touched. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly message: string;
  readonly hint: string;
  /** Bytes. */
  readonly needed: number;
  readonly available: number;
}
