/** `pin` and `unpin`: protect generations from every limit and every deletion. */

import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import type { Generation } from '../generation/generation.ts';
import { openSource } from '../generation/sources.ts';
import { generationName } from '../plan/wanted.ts';
import { choices } from '../quantity.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';

/** Protects a generation. Where Nix is, its garbage collection keeps the store path too. */
export async function pin(
  { operands: [operand], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const generation = find(operand ?? '', settings, context);
  const link = openSource(settings, disk).pinOf(generation);
  disk.makeDirectory(dirname(link));
  disk.makeLink(link, generation.toplevel, generation.builtAt * 1000);
  const name = generationName(generation);
  print(
    json
      ? documentOf('pin', name, link)
      : `pinned generation ${name}: ${link} -> ${generation.toplevel}`,
  );
  return 0;
}

/** Puts a generation under the limit again. The next `install` or `gc` may remove its entries. */
export async function unpin(
  { operands: [operand], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const generation = find(operand ?? '', settings, context);
  const link = openSource(settings, disk).pinOf(generation);
  if (!disk.linkStat(link)) {
    throw new EspError('CONFIG_INVALID', `generation ${generationName(generation)} is not pinned`, {
      hint: 'espalier list marks pinned generations with `p`',
    });
  }
  // SAFETY: this link lies outside the ESP. Its entries boot as before, until a later run removes
  // them.
  disk.remove(link);
  disk.syncDirectory(dirname(link));
  const name = generationName(generation);
  print(json ? documentOf('unpin', name, link) : `unpinned generation ${name}`);
  return 0;
}

function documentOf(verb: string, generation: string, link: string): string {
  return JSON.stringify({ version: 1, verb, generation, link }, undefined, 2);
}

/** Finds a generation by its number, by profile and number (`work-7`), or by a path that leads to it. */
function find(operand: string, settings: Settings, context: Context): Generation {
  const { generations } = openSource(settings, context.disk).read();
  const path = operand.includes('/') ? context.disk.realPath(operand) : undefined;
  const found = generations.find(
    (generation) => generationName(generation) === operand || generation.toplevel === path,
  );
  if (found) return found;
  throw new EspError('CONFIG_INVALID', `${operand}: no generation that can boot has this name`, {
    hint: choices(generations.map(generationName)),
  });
}
