/** Attributes that a partition has unless its definition says otherwise (repart.d(5)). */
import type { VerityPart } from './definition.ts';

/** Types that know an attribute, by the beginning of their names (Discoverable Partitions Specification). */
const GROWS = /^(root|usr|home|srv|var|tmp|xbootldr)(?!.*-verity)/;
const KNOWS_READ_ONLY = /^(root|usr|home|srv|var|tmp|xbootldr)(?!.*-sig)/;
const KNOWS_NO_AUTO = /^(root|usr|home|srv|var|tmp|xbootldr|swap)(?!.*-sig)/;

/** Returns whether the file system of such a partition grows with it. */
export function grows(type: string): boolean {
  return GROWS.test(type);
}
export function knowsReadOnly(type: string): boolean {
  return KNOWS_READ_ONLY.test(type);
}
export function knowsNoAuto(type: string): boolean {
  return KNOWS_NO_AUTO.test(type);
}

/** Nobody may change what a hash tree covers, nor the tree. */
export function startsReadOnly(verity: VerityPart | undefined): boolean {
  return verity !== undefined && verity.role !== 'signature';
}
