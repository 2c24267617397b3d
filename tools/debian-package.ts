/**
 * Makes Debian packages of the executable: program, unit files that nobody has enabled, manual pages
 * and completions (Debian Policy §5, §6, §9, §12).
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { COMPLETION_SCRIPTS } from '../src/command/completion.ts';
import { nodeDisk } from '../src/disk/node-disk.ts';
import { rootedDisk } from '../src/disk/rooted-disk.ts';
import { readSettings } from '../src/settings/settings.ts';
import { unitFiles } from '../src/units/files.ts';
import { type HookFile, hookFiles } from '../src/units/hooks.ts';
import { reach } from '../src/units/reach.ts';
import { ARCHITECTURES, type Architecture, nodeLicense } from './executable.ts';
import { licenses } from './licenses.ts';
import { pages } from './manual.ts';

const root = resolve(import.meta.dirname, '..');
const PROGRAM = '/usr/bin/espalier';
const DOCUMENTS = 'usr/share/doc/espalier';

/** What a package is made from. */
export interface PackageOptions {
  readonly architecture: Architecture;
  /** The executable for it. */
  readonly program: string;
  readonly version: string;
  /** Where the package goes. */
  readonly output: string;
  /** How dpkg-deb packs it. A package for a test is not worth packing. */
  readonly compression?: 'zstd' | 'none';
}

/**
 * Writes a package, and returns its path. The same files give the same bytes.
 * @throws {Error} when dpkg-deb is missing
 */
export async function debianPackage(options: PackageOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-package-'));
  try {
    for (const [path, content] of await contents(options)) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
    const program = join(folder, PROGRAM);
    mkdirSync(dirname(program), { recursive: true });
    copyFileSync(options.program, program);
    settle(folder, options);
    const packing = `-Z${options.compression ?? 'zstd'}`;
    const args = ['--root-owner-group', packing, '--build', folder, options.output];
    const env = { ...process.env, SOURCE_DATE_EPOCH: '0' };
    const { status, stderr, error } = spawnSync('dpkg-deb', args, { encoding: 'utf8', env });
    if (status !== 0) throw new Error(`dpkg-deb: ${error?.message ?? stderr}`);
    return options.output;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Gives everything its mode, and writes what the package says of itself. */
function settle(folder: string, { architecture, version }: PackageOptions): void {
  const programs = [PROGRAM, ...hooks().map(({ path }) => path)];
  const configuration = programs.filter((path) => path.startsWith('/etc/'));
  let size = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const isProgram = programs.includes(`/${relative(folder, path)}`);
    chmodSync(path, entry.isDirectory() || isProgram ? 0o755 : 0o644);
    if (entry.isFile()) size += readFileSync(path).length;
  }
  chmodSync(folder, 0o755);
  const control = join(folder, 'DEBIAN');
  mkdirSync(control);
  writeFileSync(join(control, 'control'), controlFile(architecture, version, size));
  writeFileSync(join(control, 'conffiles'), configuration.map((path) => `${path}\n`).join(''));
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(control, name), text);
  // The umask of whoever builds it has no say in this.
  for (const name of ['control', 'conffiles']) chmodSync(join(control, name), 0o644);
  for (const name of ['.', ...Object.keys(SCRIPTS)]) chmodSync(join(control, name), 0o755);
}

async function contents({
  version,
}: PackageOptions): Promise<readonly [string, string | Buffer][]> {
  const manual = pages(version).map(({ name, text }): [string, Buffer] => [
    `usr/share/man/man${name.at(-1)}/${name}.gz`,
    packed(text),
  ]);
  const completions = Object.entries(COMPLETION_SCRIPTS).map(([shell, text]): [string, string] => [
    COMPLETIONS[shell as keyof typeof COMPLETIONS],
    text,
  ]);
  return [
    ...manual,
    ...completions,
    ...(await units()),
    ...hooks().map(({ path, text }): [string, string] => [path.slice(1), text]),
    [`${DOCUMENTS}/changelog.gz`, packed(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))],
    [`${DOCUMENTS}/copyright`, copyright()],
  ];
}

/** Where each shell looks for the scripts of packages. */
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/espalier',
  zsh: 'usr/share/zsh/vendor-completions/_espalier',
  fish: 'usr/share/fish/vendor_completions.d/espalier.fish',
} as const;

/** The hooks of Debian's own tools. They do nothing before the first `espalier kernel sync`. */
function hooks(): readonly HookFile[] {
  const installation = { node: PROGRAM, program: PROGRAM, stateDirectory: '/var/lib/espalier' };
  const places = { library: '/usr/lib/espalier', etc: '/etc' };
  return hookFiles({ ...installation, ...places }).filter(
    ({ tools }) => !tools.includes('/usr/bin/pacman'),
  );
}

/** Unit files of a machine that has everything at its usual place. */
async function units(): Promise<readonly [string, string][]> {
  // No ESP is mounted below an empty root: the units then bind every usual place.
  const empty = mkdtempSync(join(tmpdir(), 'espalier-root-'));
  mkdirSync(join(empty, 'proc/self'), { recursive: true });
  writeFileSync(join(empty, 'proc/self/mountinfo'), '');
  const disk = rootedDisk(nodeDisk(), empty);
  const settings = await readSettings({}, {}, disk);
  const files = unitFiles({
    node: PROGRAM,
    program: PROGRAM,
    notify: '/usr/bin/systemd-notify',
    ...reach(settings, undefined, disk),
  });
  rmSync(empty, { recursive: true });
  return files.map(({ name, text }) => [`usr/lib/systemd/system/${name}`, text]);
}

function copyright(): string {
  const texts = [readFileSync(join(root, 'LICENSE'), 'utf8'), licenses(), nodeLicense()];
  return texts.join(`\n${'='.repeat(80)}\n\n`);
}

/** Packs without a name and a time, so that the same text gives the same bytes. */
function packed(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

function controlFile(architecture: Architecture, version: string, size: number): string {
  return `Package: espalier
Version: ${version}
Architecture: ${ARCHITECTURES[architecture]}
Maintainer: The Espalier authors <espalier@localhost>
Installed-Size: ${Math.ceil(size / 1024)}
Depends: libc6 (>= 2.28), libstdc++6 (>= 9), libgcc-s1
Recommends: systemd, systemd-boot-efi
Section: admin
Priority: optional
Description: boot entries on the EFI System Partition, whole at every moment
 Espalier copies kernels and initrds to the EFI System Partition, builds and
 signs Unified Kernel Images, and keeps what boots whole whenever power fails.
 .
 Its services are installed and not enabled: systemctl enable --now
 espalier-watch.service does that.
`;
}

/** Removing the package leaves the ESP as it is: the machine boots as before. */
const SCRIPTS = {
  postinst: `#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # What runs goes on with the new program.
  systemctl try-restart espalier-watch.service || true
fi
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now espalier-watch.service espalier-verify.timer espalier-metrics.timer || true
fi
`,
  postrm: `#!/bin/sh
set -e
if [ "$1" = purge ]; then
  rm -rf /var/cache/espalier
  # Whoever installs it again wants pins, and the initrds that are nowhere else.
  [ ! -d /var/lib/espalier ] || echo 'espalier: /var/lib/espalier, with kernels and pins, is left'
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`,
} as const;
