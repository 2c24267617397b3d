/** The findings of a check of data and hash area against a root hash. */
import { exactSize } from '../quantity.ts';

/** Data or hash area is shorter than the superblock says. In bytes. */
export interface Short {
  readonly kind: 'short';
  readonly of: 'data' | 'hash';
  readonly expected: number;
  readonly got: number;
}

/** Offsets are in bytes. Levels count from the data upwards. */
export type Finding =
  | { readonly kind: 'intact' }
  | Short
  /** The tree may be consistent, but under another root hash. */
  | { readonly kind: 'root-hash'; readonly expected: string; readonly got: string }
  | {
      readonly kind: 'hash-block';
      readonly level: number;
      readonly block: number;
      readonly offset: number;
    }
  | { readonly kind: 'data-block'; readonly block: number; readonly offset: number };

/** Returns a finding as one line that begins with what is wrong. */
export function describeFinding(finding: Finding, data: string, hash: string): string {
  switch (finding.kind) {
    case 'intact':
      return `${data}: intact`;
    case 'short':
      return `${finding.of === 'data' ? data : hash}: expected at least ${exactSize(finding.expected)}, got ${exactSize(finding.got)}`;
    case 'root-hash':
      return `${hash}: expected root hash ${finding.expected}, got ${finding.got}`;
    case 'hash-block':
      return `${hash}: corrupt at byte ${finding.offset}: block ${finding.block} of level ${finding.level} of the hash tree`;
    case 'data-block':
      return `${data}: corrupt at byte ${finding.offset}: data block ${finding.block}`;
  }
}
