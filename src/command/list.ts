/** `list`: the boot entries on the ESP, in the order of the menu. */

import type { Context } from '../context.ts';
import { EXIT_WARNINGS, explain } from '../error.ts';
import { lookAlone } from '../inspection/read-esp.ts';
import { readEsps } from '../pass/read-esps.ts';
import { type MenuEntry, menuOf } from '../plan/menu.ts';
import { type Note, notesOf } from '../plan/notes.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { readSystems } from '../survey/systems.ts';
import { formatSize } from '../terminal/size.ts';
import { formatTable, printable } from '../terminal/table.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { brokenOf, renderBroken } from './broken.ts';

/** Lists the entries of every ESP. */
export async function list({ flags, json }: Invocation, given: Context): Promise<number> {
  const { disk, environment, print } = given;
  using ground = await groundFor(await readSettings(flags, environment, disk), given);
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
  for (const { esp, entries, problem, notes } of menus) {
    if (menus.length > 1) print(`${esp}:`);
    print(
      entries.length > 0 ? formatTable(HEAD, entries.map(row)) : (problem ?? 'no boot entries'),
    );
    for (const note of notes) print(renderNote(note));
  }
  for (const line of renderBroken(broken)) print(line);
  return status;
}

function renderNote({ path, note }: Note): string {
  return `${printable(path)}: ${printable(note)}`;
}

const HEAD = ['', 'TITLE', 'SIZE', 'ENTRY'] as const;

function row(entry: MenuEntry): string[] {
  const marks = [entry.default && '>', entry.booted && '*', entry.pinned && 'p'];
  return [
    marks.map((mark) => mark || ' ').join(''),
    printable(titleOf(entry)),
    formatSize(entry.size),
    `${printable(entry.id)}${remarks(entry)
      .map((note) => `  (${note})`)
      .join('')}`,
  ];
}

/** What a person should know of an entry before it is chosen. */
function remarks({ counter, damage, unsigned, sharesWith }: MenuEntry): string[] {
  const { triesLeft = 0, triesDone = 0 } = counter ?? {};
  const tries = triesLeft > 0 ? `tries: ${triesLeft} left` : 'bad: no tries left';
  return [
    ...(counter ? [`${tries}, ${triesDone} done`] : []),
    ...(sharesWith === undefined ? [] : [`shares its image with ${namesOf(sharesWith)}`]),
    ...(damage === undefined ? [] : [`damaged: ${printable(damage)}`]),
    ...(unsigned === undefined ? [] : ['not signed by our certificate']),
  ];
}

/** How many of the entries that share an image are named. */
const NAMED = 5;

/** Returns entries as a few words: those of ours by the number of their generation. */
function namesOf(ids: readonly string[]): string {
  const names = ids.map((id) => /-generation-(.*)-[a-z2-7]{52}\.\w+$/.exec(id)?.[1] ?? id);
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).map(printable).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns the title, with the version where needed: the title of an image holds it already. */
function titleOf({ title, version, id }: MenuEntry): string {
  const shown = title ?? id;
  return version === undefined || shown.includes(version) ? shown : `${shown} (${version})`;
}
