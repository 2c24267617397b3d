/** The settings that say what is done to EFI variables once the files are in place. */
import * as v from 'valibot';
import { EFI_VARIABLES } from '../loader/efi-variables.ts';
import { LIKE_INSTALL, setting } from './setting.ts';
import { flag } from './value-schemas.ts';

export const FIRMWARE = {
  'efi-entry': setting({
    schema: v.optional(flag, false),
    help: 'have firmware start the boot loader on each ESP, as firmware register does',
    verbs: LIKE_INSTALL,
    reach: (isWanted) => (isWanted ? { write: [EFI_VARIABLES] } : {}),
  }),
  'clear-overrides': setting({
    schema: v.optional(flag, false),
    help: 'remove the EFI variables that make another entry boot than the one that was installed',
    verbs: LIKE_INSTALL,
    reach: (isWanted) => (isWanted ? { write: [EFI_VARIABLES] } : {}),
  }),
};
