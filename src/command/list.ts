/** `list`: the boot entries on the ESP, in the order of the menu. */

import type { Context } from '../context.ts';
import { EXIT_WARNINGS, explain } from '../error.ts';
import { lookAlone } from '../inspection/read-esp.ts';
import { readEsps } from '../pass/read-esps.ts';
import { menuOf } from '../plan/menu.ts';
import { type Note, notesOf } from '../plan/notes.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { readSystems } from '../survey/systems.ts';
import { hanging } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import { USUAL_COLUMNS } from '../terminal/screen.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { brokenOf } from './broken.ts';
import { fittedLine, renderMenu } from './menu-table.ts';

/** Lists the entries of every ESP, and the generations that cannot become one. */
export async function list(
  { flags, json, verbosity }: Invocation,
  given: Context,
): Promise<number> {
  const { disk, environment, print } = given;
  const { long, ...others } = flags;
  using ground = await groundFor(await readSettings(others, environment, disk), given);
  const { settings, context } = ground;
  const systems = readSystems(settings, context);
  const read = await readEsps(settings, await lookAlone(settings, context), context);
  const menus = read.map(({ root, ...esp }) =>
    esp.failure
      ? { esp: root, problem: explain(esp.failure), entries: [], notes: [] }
      : { esp: root, entries: menuOf(esp.view, systems), notes: notesOf(esp.view) },
  );
  const broken = brokenOf(systems.malformed);
  const status = menus.some(({ problem }) => problem) ? EXIT_WARNINGS : 0;
  if (json) {
    const told = broken.length > 0 ? { broken } : {};
    print(JSON.stringify({ version: 1, verb: 'list', ...told, esps: menus }, undefined, 2));
    return status;
  }
  const columns = context.columns?.() ?? USUAL_COLUMNS;
  const options = { long: long === true || verbosity > 0, columns };
  const tell = (line: string) => print(fittedLine(line, options).join('\n'));
  for (const { esp, entries, problem, notes } of menus) {
    if (menus.length > 1) print(`${esp}:`);
    print(problem ?? renderMenu(entries, broken, options));
    for (const note of notes) tell(renderNote(note));
  }
  for (const { generation, message, hint } of broken) {
    tell(`generation ${printable(generation)} is broken: ${printable(message)}`);
    for (const line of hanging(`hint: ${printable(hint)}`, columns, 2)) print(line);
  }
  return status;
}

function renderNote({ path, note }: Note): string {
  return `${printable(path)}: ${printable(note)}`;
}
