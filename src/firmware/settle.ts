/** What is done to EFI variables once the files are in place. Nothing of it can undo a run. */
import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import { bootVariableName } from '../loader/boot-option.ts';
import { loaderVariable } from '../loader/efi-variables.ts';
import { LASTING_OVERRIDES, type Menu, startsAnother } from '../plan/overrides.ts';
import type { Settings } from '../settings/settings.ts';
import { register } from './boot-entries.ts';
import { ownLoaders } from './own-loaders.ts';
import { openVariables, removeVariable, type Variables } from './variables.ts';

/** What became of the variables. */
export interface SettledFirmware {
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
}

/** An entry among those that the boot loader shows. */
interface InMenu {
  readonly id: string;
  readonly menu: Menu;
}

/**
 * Has firmware start our loaders, and clears what would start another entry than the installed one, as far
 * as the settings say so.
 * @param next ID of the entry that boots next, and the menu that it stands in
 */
export function settleFirmware(
  settings: Settings,
  next: InMenu,
  context: Context,
): SettledFirmware {
  const changes: string[] = [];
  const warnings: string[] = [];
  const attempt = (work: () => readonly string[]) => {
    try {
      changes.push(...work());
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      const hint = error.hint === undefined ? '' : `; ${error.hint}`;
      warnings.push(`the files are in place; ${explain(error)}${hint}`);
    }
  };
  if (settings['efi-entry']) attempt(() => registered(settings, context));
  if (settings['clear-overrides']) attempt(() => cleared(next, openVariables(context)));
  return { changes, warnings };
}

function registered(settings: Settings, context: Context): readonly string[] {
  const variables = openVariables(context);
  return register(variables, ownLoaders(settings, context), false).map(
    (number) => `${bootVariableName(number)} starts our boot loader`,
  );
}

function cleared({ id, menu }: InMenu, variables: Variables): readonly string[] {
  const { directory, context } = variables;
  return LASTING_OVERRIDES.flatMap((name) => {
    const value = loaderVariable(context.disk, directory, name);
    if (value === undefined || !startsAnother(value, id, menu)) return [];
    removeVariable(variables, 'loader', name);
    return [`${name} is cleared, which was ${JSON.stringify(value)}`];
  });
}
