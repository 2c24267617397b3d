/** A plan as data: what will be done to one ESP, in phases with a barrier after each. */
import type { Digest } from '../digest.ts';
import type { EspPath } from '../esp/layout.ts';
import type { ImageName } from './images.ts';

/** A recipe for the bytes of a file. Paths are absolute, outside the ESP. */
export type Content =
  | { readonly kind: 'text'; readonly text: string }
  /** The 32 bytes of a digest. */
  | { readonly kind: 'digest'; readonly digest: Digest }
  /** A copy of the file. */
  | { readonly kind: 'file'; readonly path: string }
  /**
   * A copy of a file of the ESP itself, by its path there: what has this digest was judged, and nothing
   * else is copied.
   */
  | { readonly kind: 'copied'; readonly path: EspPath; readonly digest: Digest }
  /** A PE file with our Authenticode signature added. */
  | { readonly kind: 'signed'; readonly path: string }
  /** An image of an earlier run that stays as it is. It is never written. */
  | { readonly kind: 'kept' }
  | ImageContent;

/** An image: a stub with sections, signed when a certificate is given. */
export interface ImageContent {
  readonly kind: ImageName;
  readonly stub: string;
  readonly sections: readonly SectionContent[];
}

/** Returns whether content is an image, which is laid out and signed while it is written. */
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

/** One change. `size` is in bytes; for an image that will be signed it is an upper bound. */
export type Step =
  /** Writes a file under a name that nothing depends on yet, or over a damaged file. */
  | {
      readonly kind: 'write';
      readonly path: EspPath;
      readonly size: number;
      readonly content: Content;
      readonly because: string;
    }
  /** Renames new content over a fixed name: a loader copy, or a foreign loader.conf. */
  | {
      readonly kind: 'replace';
      readonly path: EspPath;
      readonly size: number;
      readonly content: Content;
      readonly because: string;
    }
  /** Overwrites the beginning of a file in place, within its first sector. */
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

/** The phases in their order. A phase may occur twice, but never after a later one. */
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
  | 'remove-loaders'
  | 'remove-lists';

/** Returns the step that removes a file. Size in bytes. */
export function removal(
  { path, size }: { readonly path: EspPath; readonly size: number },
  because: string,
): Step {
  return { kind: 'remove', path, size, because };
}

/** Steps in any order. All of them are durable before the next phase starts. */
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
  /** The most that is ever in use during the run, beyond what is in use now. */
  readonly peak: number;
  /** Free space after the plan. */
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
  /** ID of the entry that boots next. */
  readonly default: string;
  /** IDs of all our entries on the ESP after the plan. */
  readonly entries: readonly string[];
  readonly leftOut: readonly LeftOut[];
  /** Space of the volume with the entries. */
  readonly space: SpaceForecast;
  /** Space of the ESP, when that is another volume. */
  readonly espSpace?: SpaceForecast;
}

/** A decision not to start. Nothing was touched. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly message: string;
  readonly hint: string;
  /** In bytes. */
  readonly needed: number;
  readonly available: number;
}
