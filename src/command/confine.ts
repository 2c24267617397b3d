/** `confine`: writes a drop-in that lets a service see its closure and nothing else. */

import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { type Confinement, planConfinement, type Request } from '../confine/confinement.ts';
import { DROP_IN_MARK, EMPTY_ROOT } from '../confine/drop-in.ts';
import { queryNixStore } from '../confine/store.ts';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { path } from '../settings/value-schemas.ts';

const VERB = 'confine';

/** Writes the drop-in of one unit. */
export async function confine(
  { operands: [operand = ''], flags, json, verbosity }: Invocation,
  { disk, machine, print }: Context,
): Promise<number> {
  const { output, request } = readRequest(operand, flags);
  const confinement = await planConfinement(request, disk, queryNixStore(machine));
  const file = output === '-' ? undefined : (output ?? confinement.unit.ownDropIn);
  const changed = file !== undefined && (await write(file, confinement.text, disk));
  if (output === undefined && confinement.unit.isOfSystem)
    disk.makeDirectory(EMPTY_ROOT, 'everyone');
  const notices = [...confinement.notices, ...rootNotices(disk)];
  const done = { file, changed, notices };
  if (json) print(JSON.stringify(toDocument(request, confinement, done), undefined, 2));
  else print(file === undefined ? confinement.text.trimEnd() : summary(file, changed, confinement));
  if (notices.length > 0) {
    const log = (await import('../terminal/log.ts')).openLog(verbosity);
    for (const notice of notices) log.warn({ unit: confinement.unit.name.full }, notice);
  }
  return 0;
}

function summary(file: string, changed: boolean, { binds, unit }: Confinement): string {
  const reload = unit.isOfSystem ? '\nrun systemctl daemon-reload, and restart the service' : '';
  const did = changed ? 'written' : 'unchanged';
  return `${file}: ${did}, ${counted(binds.length, 'path')}${changed ? reload : ''}`;
}

const schema = v.strictObject({
  closure: v.optional(path),
  elf: v.optional(v.boolean(), false),
  nix: v.optional(v.boolean(), false),
  mode: v.optional(
    v.picklist(['full-apivfs', 'chroot-only'], 'expected full-apivfs or chroot-only'),
    'full-apivfs',
  ),
  'full-unit': v.optional(v.boolean(), false),
  package: v.optional(v.array(path), []),
  'bin-sh': v.optional(v.union([v.literal(false), path], 'expected a path'), '/bin/sh'),
  output: v.optional(v.union([v.literal('-'), path], 'expected a path or -')),
});

/** Checks the command line. @throws {CONFIG_INVALID} naming the wrong flag */
function readRequest(
  unit: string,
  flags: RawSettings,
): { output: string | undefined; request: Request } {
  const checked = readFlags(schema, flags, VERB);
  const { closure, elf, nix, mode, package: packages, output, ...rest } = checked;
  const kinds = [
    ...(closure === undefined ? [] : [{ file: closure }]),
    ...(elf ? (['elf'] as const) : []),
    ...(nix ? (['nix'] as const) : []),
  ];
  if (kinds.length > 1)
    throw misuse('expected one of --closure, --elf and --nix, got several', VERB);
  const binSh = rest['bin-sh'] === false ? undefined : rest['bin-sh'];
  return {
    output,
    request: {
      unit: unit.includes('/') ? resolve(unit) : unit,
      closure: kinds[0] ?? 'auto',
      mode,
      fullUnit: rest['full-unit'],
      packages,
      binSh,
      output,
    },
  };
}

/** In bytes. A drop-in has a few hundred lines, and some thousand for a whole desktop. */
const DROP_IN_LIMIT = 16 * 1024 * 1024;

/** Writes the drop-in unless it is there with this text. Returns whether it wrote. */
async function write(file: string, text: string, disk: Context['disk']): Promise<boolean> {
  const before = disk.stat(file)
    ? new TextDecoder().decode(disk.read(file, DROP_IN_LIMIT))
    : undefined;
  if (before === text) return false;
  if (before !== undefined && !before.startsWith(DROP_IN_MARK)) {
    throw new EspError('UNIT_REFUSED', `${file} was not written by espalier confine`, {
      hint: 'name another file with --output, or remove it',
    });
  }
  disk.makeDirectory(dirname(file), 'everyone');
  await disk.replaceText(file, text, 'everyone');
  return true;
}

/** Warns when the directory for the service's root is missing, as on most distributions. */
function rootNotices(disk: Context['disk']): string[] {
  if (disk.stat(EMPTY_ROOT)?.kind === 'directory') return [];
  return [`${EMPTY_ROOT} does not exist: the service starts only once there is such a directory`];
}

function toDocument(
  { mode }: Request,
  { unit, binds, text }: Confinement,
  { file, changed, notices }: { file: string | undefined; changed: boolean; notices: string[] },
): unknown {
  return {
    version: 1,
    verb: 'confine',
    unit: { name: unit.name.full, file: unit.file, dropIns: unit.dropIns },
    mode,
    ...(file === undefined ? {} : { output: file, changed }),
    binds,
    notices,
    text,
  };
}
