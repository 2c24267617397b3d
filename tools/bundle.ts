/**
 * Bundles the program into the one file that is shipped. The file is plain text: it holds what esbuild
 * makes of the sources and of the packages, unminified, and Node runs exactly that text.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { licenses } from './licenses.ts';

const root = resolve(import.meta.dirname, '..');
const output = resolve(root, 'dist/espalier.mjs');

/**
 * Loads Node's own modules with `process.getBuiltinModule` where the importing module starts. An
 * `import` statement in one file would be hoisted: every run would then load cryptography, threads and
 * streams, and Node would evaluate each lazy export of every module that it links.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:)?(${builtinModules.join('|')})$`) }, (found) => {
      const path = found.path.replace(/^(node:)?/, 'node:');
      if (found.kind === 'require-call') return { path, namespace: 'required' };
      // What only a package needs, such as `fs.promises`, is read when that package starts.
      const user = /node_modules[\\/](.*?)[\\/][^@]*$/.exec(found.importer)?.[1] ?? 'espalier';
      return { path: `${path} for ${user}`, namespace: 'imported' };
    });
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
    }));
    onLoad({ filter: /.*/, namespace: 'imported' }, ({ path: wanted }) => {
      const path = wanted.replace(/ for .*/, '');
      const module = path.replace(/\W/g, '_');
      const names = Object.keys(process.getBuiltinModule(path) ?? {});
      return {
        contents: [
          `const ${module} = process.getBuiltinModule('${path}');`,
          `export default ${module};`,
          // esbuild drops the names that nobody imports, because reading them is marked as pure.
          ...names
            .filter((name) => /^[a-z_]\w*$/i.test(name))
            .map((name) => `export const ${name} = /* @__PURE__ */ (() => ${module}.${name})();`),
        ].join('\n'),
      };
    });
  },
};

/**
 * commander can start other programs as its subcommands, and imports `node:child_process` for that.
 * No verb is such a program, and every run would pay two milliseconds: the module is loaded when needed.
 */
const lateSubprograms: Plugin = {
  name: 'late-subprograms',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]commander[\\/]lib[\\/]command\.js$/ }, ({ path }) => {
      const line = "import childProcess from 'node:child_process';";
      const late =
        "const childProcess = { spawn: (...args) => process.getBuiltinModule('node:child_process').spawn(...args) };";
      const text = readFileSync(path, 'utf8');
      if (!text.includes(line)) throw new Error(`${path}: expected ${line}`);
      return { contents: text.replace(line, late), loader: 'js' };
    });
  },
};

/** Before anything that an older Node does not know: it says what is needed, and where to get it. */
const NODE_CHECK = `{
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 24 || (major === 24 && minor < 15)) {
    console.error('espalier: expected Node 24.15 or newer, got ' + process.versions.node + ' (' + process.execPath + '): install it from https://nodejs.org/en/download, or with npm install --global node@24');
    process.exit(2);
  }
}`;

/** Writes `dist/espalier.mjs`, or another file, and returns its path. The same tree gives the same bytes. */
export function bundle(outfile = output, ...plugins: readonly Plugin[]): Promise<string> {
  return pack('src/main.ts', outfile, plugins);
}

/** Writes the file that starts the program beside it with Node’s compile cache; returns its path. */
export function bundleLauncher(file: string): Promise<string> {
  return pack('src/launch.ts', resolve(dirname(file), 'launch.mjs'), []);
}

/** Writes the program as a script, which a single executable runs; returns its path. */
export function bundleScript(outfile: string): Promise<string> {
  return pack('src/main.ts', outfile, [stamp], SCRIPT);
}

/** A module knows where it lies. A script in a single executable lies where the executable does. */
const MODULE = { format: 'esm', banner: { js: NODE_CHECK } } as const;
const SCRIPT = {
  format: 'cjs',
  banner: { js: "const ownUrl = require('node:url').pathToFileURL(process.execPath).href;" },
  define: {
    __filename: 'process.execPath',
    'import.meta.url': 'ownUrl',
    'import.meta.filename': 'process.execPath',
  },
} as const;

async function pack(
  entry: string,
  outfile: string,
  plugins: readonly Plugin[],
  { define, ...kind }: BuildOptions = MODULE,
): Promise<string> {
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [resolve(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    legalComments: 'none',
    ...kind,
    // Only the checks need the settings of TypeScript.
    tsconfigRaw: {},
    plugins: [...plugins, builtins, lateSubprograms],
    // Paths in the file are relative to the tree, wherever the tree and its packages lie.
    absWorkingDir: root,
    preserveSymlinks: true,
    // Packages in CommonJS ask for the name of their file, and whether they are the program itself.
    define: {
      __filename: 'import.meta.filename',
      'require.main': 'undefined',
      BUILD_COMMIT: 'null',
      ...define,
    },
  });
  writeFileSync(outfile, inAscii(readFileSync(outfile, 'utf8')));
  chmodSync(outfile, 0o755);
  return outfile;
}

/**
 * Writes other characters as escapes, also where esbuild does not: in comments, patterns and templates.
 * A single one would have V8 keep the whole text in two bytes a character, and decode it at every start.
 */
function inAscii(text: string): string {
  return text.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Has the program say which commit it was made of. A build for a test does not: the same sources are the same bytes. */
export const stamp: Plugin = {
  name: 'stamp',
  setup({ initialOptions }) {
    initialOptions.define = { ...initialOptions.define, BUILD_COMMIT: JSON.stringify(commit()) };
  },
};

/**
 * Returns the commit of this tree; null when it has changes, or is no checkout. A build of a copy is told
 * by BUILD_COMMIT.
 */
function commit(): string | null {
  const told = process.env['BUILD_COMMIT'];
  if (told) return told;
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  const changes = git('status', '--porcelain', '--', 'src', 'package-lock.json');
  if (changes.status !== 0 || changes.stdout !== '') return null;
  return git('rev-parse', 'HEAD').stdout.trim();
}

/** The same file under the name of the second executable; returns its path. */
export function linkLzbt(file: string): string {
  const link = resolve(dirname(file), 'lzbt-systemd');
  rmSync(link, { force: true });
  symlinkSync(basename(file), link);
  return link;
}

/** Writes the licences of what is in the file beside it; returns their path. */
export function writeLicenses(file: string): string {
  const path = resolve(dirname(file), 'LICENSES');
  writeFileSync(path, licenses());
  return path;
}
