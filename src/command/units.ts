/** `units`: writes confined unit files of the services, for this machine and this program. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kindAt } from '../confine/accessible.ts';
import { planConfinement } from '../confine/confinement.ts';
import { EMPTY_ROOT } from '../confine/drop-in.ts';
import { queryNixStore } from '../confine/store.ts';
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { type Installation, unitFiles } from '../units/files.ts';
import { type HookInstallation, hookFiles } from '../units/hooks.ts';
import { reach } from '../units/reach.ts';

/** Writes a file that everyone may read, or run. */
type Write = (path: string, text: string, readers?: 'everyone' | 'program') => Promise<void>;

/**
 * Writes the unit files, and a drop-in for each service that confines it. The drop-in allows what
 * the service reaches under the present configuration.
 * @throws {CONFIG_INVALID} for wrong settings, and when the program runs from its sources
 * @throws {FILE_MISSING} when Node, systemd-notify or one of their libraries is not there
 */
export async function units({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, print } = context;
  const installation = await readInstallation(flags, context);
  requireVisible(installation, context.disk);
  const directory = resolve(textOf(flags, 'prefix') ?? '/usr/local', 'lib/systemd/system');
  const written: string[] = [];
  const write: Write = async (path, text, readers = 'everyone') => {
    disk.makeDirectory(dirname(path), 'everyone');
    await disk.replaceText(path, text, readers);
    written.push(path);
  };
  for (const { name, text } of unitFiles(installation)) {
    const path = join(directory, name);
    await write(path, text);
    if (name.endsWith('.service')) await confine(path, installation, context, write);
  }
  if (flags['kernel-hooks'] === true) await writeHooks(installation, flags, context, write);
  if (json) print(JSON.stringify({ version: 1, verb: 'units', written }, undefined, 2));
  else {
    for (const path of written) print(`wrote ${path}`);
    print('next: systemctl daemon-reload && systemctl enable --now espalier-watch.service');
  }
  return 0;
}

/** Writes the hooks of the package managers that are on this machine. */
async function writeHooks(
  installation: Omit<HookInstallation, 'library' | 'etc'>,
  flags: Invocation['flags'],
  { disk }: Context,
  write: Write,
): Promise<void> {
  const library = resolve(textOf(flags, 'prefix') ?? '/usr/local', 'lib/espalier');
  const etc = resolve(textOf(flags, 'etc') ?? '/etc');
  for (const { path, text, isProgram, tools } of hookFiles({ ...installation, library, etc })) {
    if (tools.some((tool) => disk.stat(tool)))
      await write(path, text, isProgram ? 'program' : 'everyone');
  }
}

/** Lets a service see its programs and the paths that its unit binds, and nothing else. */
async function confine(
  unit: string,
  { notify }: Installation,
  { disk, machine }: Context,
  write: Write,
): Promise<void> {
  const kind = { closure: 'auto', mode: 'full-apivfs', fullUnit: false, binSh: undefined } as const;
  const request = { ...kind, unit, packages: [notify], output: `${unit}.d/confinement.conf` };
  const confinement = await planConfinement(request, disk, queryNixStore(machine));
  await write(request.output, confinement.text);
  if (confinement.unit.isOfSystem) disk.makeDirectory(EMPTY_ROOT, 'everyone');
}

async function readInstallation(
  flags: Invocation['flags'],
  context: Context,
): Promise<Installation & Pick<HookInstallation, 'stateDirectory'>> {
  const { disk, environment, machine } = context;
  const config = textOf(flags, 'config');
  const metricsDirectory = textOf(flags, 'metrics-directory');
  // A service does not inherit the environment of whoever runs `units`: only files count.
  const settings = await readSettings(config === undefined ? {} : { config }, {}, disk);
  return {
    node: theNode(disk, resolve(textOf(flags, 'node') ?? process.execPath)),
    program: requireBundle(fileURLToPath(machine.program)),
    notify: theNotifier(disk, environment['PATH'] ?? ''),
    ...(config === undefined ? {} : { config: resolve(config) }),
    ...(metricsDirectory === undefined ? {} : { metricsDirectory: resolve(metricsDirectory) }),
    ...reach(settings, config, disk),
    stateDirectory: settings['state-dir'],
  };
}

/** What ProtectHome= takes from a service (systemd.exec(5)): nothing bound below is seen. */
const HIDDEN = ['/home', '/root', '/run/user'];

/** A service that cannot see its own program never starts, and one that cannot see its key signs nothing. */
function requireVisible(installation: Installation, disk: Disk): void {
  const { program, node, notify, config, readable, writable } = installation;
  const named = [
    ...[program, node, notify].map((path) => [path, PROGRAM_PLACE] as const),
    ...[...(config === undefined ? [] : [config]), ...readable, ...writable].map(
      (path) => [path, SETTING_PLACE] as const,
    ),
  ];
  for (const [path, hint] of named) {
    const places = [path, disk.realPath(path) ?? path];
    const hidden = places.find((at) => HIDDEN.some((home) => `${at}/`.startsWith(`${home}/`)));
    if (hidden === undefined) continue;
    const where = hidden === path ? path : `${path}: ${hidden}`;
    throw new EspError('CONFIG_INVALID', `${where} lies in a home, which the services do not see`, {
      hint,
    });
  }
}

const PROGRAM_PLACE =
  'copy it to /usr/local/lib/espalier, and run `units` with the program and the Node that are there';
const SETTING_PLACE = 'put it into /etc/espalier, and name it in the settings from there';

function textOf(flags: Invocation['flags'], name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

function theNode(disk: Disk, path: string): string {
  if (disk.stat(path)?.kind === 'file') return path;
  throw new EspError('FILE_MISSING', `${path}: no such file`, { hint: 'name Node with --node' });
}

/** The sources need a compiler and many files, which a confined service does not see. */
function requireBundle(program: string): string {
  if (!program.endsWith('.ts')) return program;
  throw new EspError('CONFIG_INVALID', `${program}: services run the bundle, not the sources`, {
    hint: 'make it with npm run build, and run `dist/espalier.mjs units`',
  });
}

function theNotifier(disk: Disk, searchPath: string): string {
  const candidates = searchPath.split(':').map((directory) => join(directory, 'systemd-notify'));
  const path = candidates.find((candidate) => kindAt(disk, candidate) === 'file');
  const real = path === undefined ? undefined : disk.realPath(path);
  if (real !== undefined) return real;
  throw new EspError('FILE_MISSING', 'systemd-notify is not in the PATH', {
    hint: 'it comes with systemd; the watcher says through it that it is ready and alive',
  });
}
