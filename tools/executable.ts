/**
 * Makes one executable of the program: Node itself with the program inside (Node.js §Single executable
 * applications). It needs nothing on the machine where it runs.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { inject } from 'postject';
import { PROGRAM_ASSET } from '../src/process/single-executable.ts';
import { bundleScript } from './bundle.ts';

const root = resolve(import.meta.dirname, '..');

/** Architectures by their names in Node, with the names that distributions have for them. */
export const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' } as const;
export type Architecture = keyof typeof ARCHITECTURES;

/** Writes one executable for each architecture, and the licence of Node; returns their paths. */
export async function executables(): Promise<readonly string[]> {
  const license = join(root, 'dist/LICENSE-node');
  const made = [license];
  for (const architecture of ['x64', 'arm64'] as const) made.push(await executable(architecture));
  writeFileSync(license, nodeLicense());
  return made;
}

/** Node looks for this in its own file, to see whether a program is inside. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const RESOURCE = 'NODE_SEA_BLOB';

/**
 * Writes the executable for Linux on an architecture, and returns its path. Node comes from npm, in
 * the version of the one that runs now.
 */
export async function executable(
  architecture: Architecture,
  output = join(root, 'dist', `espalier-linux-${ARCHITECTURES[architecture]}`),
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-executable-'));
  try {
    const blob = await preparation(folder, architecture === process.arch);
    mkdirSync(dirname(output), { recursive: true });
    const file = join(folder, 'espalier');
    copyFileSync(join(nodePackage(architecture), 'bin/node'), file);
    chmodSync(file, 0o755);
    await quietly(() => inject(file, RESOURCE, blob, { sentinelFuse: FUSE }));
    rmSync(output, { force: true });
    copyFileSync(file, output);
    return output;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns what goes into Node: the program, and its text once more for a second thread. */
async function preparation(folder: string, isHere: boolean): Promise<Buffer> {
  const script = await bundleScript(join(folder, PROGRAM_ASSET));
  const blob = join(folder, 'blob');
  const settings = {
    main: script,
    output: blob,
    disableExperimentalSEAWarning: true,
    // V8's code is for one processor and one version.
    useCodeCache: isHere,
    // A service gives options of Node with --node-options. NODE_OPTIONS of whoever calls it counts for nothing.
    execArgvExtension: 'cli',
    assets: { [PROGRAM_ASSET]: script },
  };
  const file = join(folder, 'sea.json');
  writeFileSync(file, JSON.stringify(settings));
  called(process.execPath, ['--experimental-sea-config', file], folder);
  return readFileSync(blob);
}

/** Returns the licence of Node, which is in each executable. */
export function nodeLicense(): string {
  return readFileSync(join(nodePackage('x64'), 'LICENSE'), 'utf8');
}

/** Returns the folder with Node for an architecture, and its licence, which npm has in this version. */
function nodePackage(architecture: Architecture): string {
  const name = `node-linux-${architecture}`;
  const version = process.versions.node;
  const cache = join(root, '.cache', `${name}-${version}`);
  const folder = join(cache, 'package');
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const fetched = mkdtempSync(join(cache, 'fetched-'));
  called('npm', ['pack', '--silent', `${name}@${version}`], fetched);
  const archive = `${name}-${version}.tgz`;
  called('tar', ['-xzf', archive, 'package/bin/node', 'package/LICENSE'], fetched);
  // Another run may have brought it meanwhile: it is there as a whole or not at all.
  if (!existsSync(folder)) renameSync(join(fetched, 'package'), folder);
  rmSync(fetched, { recursive: true });
  return folder;
}

function called(program: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
  }
}

/** The injector writes of sections that it does not know, and none of them is ours. */
async function quietly(work: () => Promise<void>): Promise<void> {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    await work();
  } finally {
    console.warn = warn;
  }
}
