/** All verbs in the order of the help. */
import { ENTRY_VERBS } from './entry-verbs.ts';
import { FIRMWARE_VERBS } from './firmware-verbs.ts';
import { IMAGE_VERBS } from './image-verbs.ts';
import { KERNEL_VERBS } from './kernel-verbs.ts';
import { KEY_VERBS } from './key-verbs.ts';
import { SERVICE_VERBS } from './service-verbs.ts';
import { UKI_VERBS } from './uki-verbs.ts';
import type { VerbDeclaration } from './verb.ts';

export const VERBS: readonly VerbDeclaration[] = [
  ...ENTRY_VERBS,
  ...KERNEL_VERBS,
  ...FIRMWARE_VERBS,
  ...SERVICE_VERBS,
  ...UKI_VERBS,
  ...IMAGE_VERBS,
  ...KEY_VERBS,
];
