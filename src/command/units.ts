/** `units`: writes the unit files of the services, for this machine and this program. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { planConfinement } from '../confine/confinement.ts';
import { EMPTY_ROOT } from '../confine/drop-in.ts';
import { queryNixStore } from '../confine/store.ts';
import type { Disk, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { ESP_PLACES, findEsp } from '../esp/mount.ts';
import { parseLink } from '../generation/profile.ts';
import type { Context } from './context.ts';
import type { Invocation } from './program.ts';
import { CONFIG_FILE, readSettings, type Settings } from './settings.ts';
import { type Installation, unitFiles } from './unit-files.ts';

/**
 * Writes the unit files. What the services may reach follows from the configuration as it is now.
 * @throws {CONFIG_INVALID} @throws {FILE_MISSING} when the services could not run
 */
export async function units({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, print } = context;
  const installation = await describe(flags, context);
  const directory = resolve(textOf(flags, 'prefix') ?? '/usr/local', 'lib/systemd/system');
  const written: string[] = [];
  const write = async (path: string, text: string): Promise<void> => {
    disk.makeDirectory(dirname(path), 'everyone');
    await disk.replaceText(path, text, 'everyone');
    written.push(path);
  };
  for (const { name, text } of unitFiles(installation)) {
    const path = join(directory, name);
    await write(path, text);
    if (name.endsWith('.service')) await confine(path, installation, disk, write);
  }
  if (json) print(JSON.stringify({ version: 1, verb: 'units', written }, undefined, 2));
  else {
    for (const path of written) print(`wrote ${path}`);
    print('next: systemctl daemon-reload && systemctl enable --now espalier-watch.service');
  }
  return 0;
}

/** Lets a service see what it executes, and the paths that its unit binds, and nothing else. */
async function confine(
  unit: string,
  { program, notify }: Installation,
  disk: WritableDisk,
  write: (path: string, text: string) => Promise<void>,
): Promise<void> {
  const output = `${unit}.d/confinement.conf`;
  const packages = [program, notify];
  const request = { unit, closure: 'auto', mode: 'full-apivfs', packages, output } as const;
  const shellLess = { ...request, fullUnit: false, binSh: undefined };
  const confinement = await planConfinement(shellLess, disk, queryNixStore);
  await write(output, confinement.text);
  if (confinement.unit.isOfSystem) disk.makeDirectory(EMPTY_ROOT, 'everyone');
}

function textOf(flags: Invocation['flags'], name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

async function describe(flags: Invocation['flags'], context: Context): Promise<Installation> {
  const { disk, environment, workerEntry } = context;
  const config = textOf(flags, 'config');
  // The services do not have the variables of whoever runs this.
  const settings = await readSettings(config === undefined ? {} : { config }, {}, disk);
  return {
    node: found(disk, resolve(textOf(flags, 'node') ?? process.execPath)),
    program: bundle(fileURLToPath(workerEntry)),
    notify: findNotify(disk, environment['PATH'] ?? ''),
    ...(config === undefined ? {} : { config: resolve(config) }),
    writable: writable(settings, disk),
    readable: readable(settings, config),
  };
}

function found(disk: Disk, path: string): string {
  if (disk.stat(path)?.kind === 'file') return path;
  throw new EspError('FILE_MISSING', `${path}: no such file`, { hint: 'name Node with --node' });
}

/** Sources need a compiler that the services go without, and more files than one. */
function bundle(program: string): string {
  if (!program.endsWith('.ts')) return program;
  throw new EspError('CONFIG_INVALID', `${program}: services run the bundle, not the sources`, {
    hint: 'make it with npm run build, and run `dist/espalier.mjs units`',
  });
}

function findNotify(disk: Disk, searchPath: string): string {
  const candidates = searchPath.split(':').map((directory) => join(directory, 'systemd-notify'));
  const path = candidates.find((candidate) => disk.stat(candidate)?.kind === 'file');
  const real = path === undefined ? undefined : disk.realPath(path);
  if (real !== undefined) return real;
  throw new EspError('FILE_MISSING', 'systemd-notify is not in the PATH', {
    hint: 'it comes with systemd; the watcher says through it that it is ready and alive',
  });
}

/** The ESPs; those of the usual places that may be one, when none is named and none is mounted. */
function writable(settings: Settings, disk: Disk): readonly string[] {
  const mounted = findEsp(disk);
  const esps = settings.esp ?? (mounted === undefined ? ESP_PLACES : [mounted]);
  const cache = settings['cache-dir'];
  return cache === '/var/cache/espalier' ? esps : [...esps, cache];
}

/** Everything that a run may read, whether it is there now or not. */
function readable(settings: Settings, config: string | undefined): readonly string[] {
  const { systemd = '/usr', stub, certificate, 'private-key': key, pins, booted } = settings;
  const named = [
    stub,
    certificate,
    key,
    settings['loader-conf'],
    ...Object.values(settings.sections),
  ];
  return [
    config === undefined ? CONFIG_FILE : resolve(config),
    ...settings.profiles.map((path) => (parseLink(path) ? dirname(path) : path)),
    pins ?? '/nix/var/nix/gcroots',
    '/nix/store',
    `${systemd}/lib/systemd/boot/efi`,
    ...named.filter((path) => path !== undefined),
    booted,
    '/run/systemd/notify',
  ];
}
