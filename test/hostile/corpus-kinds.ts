/** Directories where files should be, files where directories should be, links, devices and pipes. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { DIRECTORIES, FIXED, type HostileCase, type Site } from './case.ts';

/** Puts something that is no regular file at a path; its directory is there. */
type Planting = (path: string, site: Site) => void;

const device = (type: 'b' | 'c', major: number, minor: number): Planting => {
  return (path) => tool('mknod', path, type, String(major), String(minor));
};

function tool(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

/** A socket outlives its listener as a name when it is moved away before it is closed. */
const socket: Planting = (path) => {
  // Its address may have but a hundred bytes, so it is bound where it lies.
  const name = JSON.stringify(`./${path.slice(path.lastIndexOf('/') + 1)}`);
  const listen = `require('node:net').createServer().listen(${name}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', listen], { cwd: dirname(path) });
  if (!fs.lstatSync(path).isSocket()) throw new Error(`${path}: no socket was made`);
};

const link =
  (target: string): Planting =>
  (path) =>
    fs.symlinkSync(target, path);

const outside =
  (name: string): Planting =>
  (path, { machine }) =>
    fs.symlinkSync(join(machine.root, 'outside', name), path);

const pipe: Planting = (path) => tool('mkfifo', path);

/** What is replaced by a file of ours where it has our name, and never opened or followed. */
const SPECIAL: Readonly<Record<string, Planting>> = {
  pipes: pipe,
  sockets: socket,
  'devices that never end': device('c', 1, 5),
  'devices that are full': device('c', 1, 7),
  'links to a secret': outside('secret'),
  'links to a device': link('/dev/zero'),
  'links to a pipe': (path, site) => {
    const other = join(site.machine.root, 'outside', 'pipe');
    if (!fs.existsSync(other)) pipe(other, site);
    fs.symlinkSync(other, path);
  },
  'links to themselves': (path) => fs.symlinkSync(path.slice(path.lastIndexOf('/') + 1), path),
  'links to nothing': link('/nonexistent/file'),
};

function replace(path: string, planting: Planting, site: Site): void {
  const full = join(site.machine.esp, path);
  fs.mkdirSync(dirname(full), { recursive: true });
  fs.rmSync(full, { recursive: true, force: true });
  planting(full, site);
}

const isRoot = process.getuid?.() === 0;

const files: readonly HostileCase[] = Object.entries(SPECIAL)
  .filter(([name]) => isRoot || !name.startsWith('devices'))
  .map(([name, planting], at) => ({
    name: `${name} where files should be`,
    ...(at % 2 === 0 ? {} : { format: 'type1' as const }),
    plant: (site) => {
      const { entry, blobs } = site.current;
      const foreign = ['EFI/Linux/a.efi', 'loader/entries/a.conf', 'EFI/nixos/a.efi'];
      for (const path of [...FIXED.slice(0, 3), entry, ...blobs, ...foreign])
        replace(path, planting, site);
    },
  }));

const directory: Planting = (path) => {
  fs.mkdirSync(path);
  fs.writeFileSync(join(path, 'foreign'), 'foreign');
};

/** The machine starts from the other copy of the loader, and without the mark of the layout. */
const SPARED: readonly string[] = FIXED.filter((path) => !path.endsWith('loader.conf'));

const directories: readonly HostileCase[] = [...FIXED, 'entry', 'kernel', 'initrd'].map(
  (place) => ({
    name: `a directory where ${place} should be`,
    format: 'type1',
    ...(SPARED.includes(place) ? {} : { stops: 'FOREIGN_LAYOUT' as const }),
    plant: (site) => {
      const { entry, blobs } = site.current;
      const names: Readonly<Record<string, string | undefined>> = {
        entry,
        kernel: blobs[0],
        initrd: blobs[1],
      };
      replace(names[place] ?? place, directory, site);
    },
  }),
);

const NO_DIRECTORIES: Readonly<Record<string, Planting>> = {
  'a file': (path) => fs.writeFileSync(path, 'foreign'),
  'a link to the outside': outside('directory'),
  'a pipe': pipe,
};

const places: readonly HostileCase[] = DIRECTORIES.map((place, at): HostileCase => {
  const kinds = Object.entries(NO_DIRECTORIES);
  const [name, planting] = kinds[at % kinds.length] ?? ['a pipe', pipe];
  return {
    name: `${name} where ${place} should be`,
    stops: 'FOREIGN_LAYOUT',
    plant: (site) => replace(place, planting, site),
  };
});

export const kindCases: readonly HostileCase[] = [...files, ...directories, ...places];
