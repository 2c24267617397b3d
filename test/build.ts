/** Bundles the program into the one file that is shipped. */
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { codeCache } from './code-cache.ts';
import { licenses } from './licenses.ts';

const root = resolve(import.meta.dirname, '..');
const output = resolve(root, 'dist/espalier.mjs');

/** How everything is bundled. */
const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  minify: true,
  legalComments: 'none',
} as const satisfies BuildOptions;

/** A value that is looked up each time it is used: it can be called, made with `new`, and its properties read. */
const STAND_IN = `const standIn = (find) => new Proxy(function () {}, {
  apply: (_, self, parameters) => Reflect.apply(find(), self, parameters),
  construct: (_, parameters) => Reflect.construct(find(), parameters),
  get: (_, name) => find()[name],
});`;

/** Numbers and texts cannot be stood in for. */
function exported(name: string, value: unknown): string {
  const isStandable = typeof value === 'object' || typeof value === 'function';
  const found = isStandable ? `standIn(() => load().${name})` : `(() => load().${name})()`;
  return `export const ${name} = /* @__PURE__ */ ${found};`;
}

/** Node has loaded these for itself by the time that a program starts: they can be had at once. */
const LOADED = ['node:buffer', 'node:events', 'node:fs', 'node:path', 'node:process', 'node:util'];

/** What a module exports, as it is, but for what is loaded when it is first looked at: `fs.promises`. */
function direct(path: string, names: readonly string[]): string {
  const builtin = process.getBuiltinModule(path);
  const found = (name: string) =>
    Object.getOwnPropertyDescriptor(builtin, name)?.get
      ? `standIn(() => module.${name})`
      : `(() => module.${name})()`;
  return [
    `const module = process.getBuiltinModule(${JSON.stringify(path)});`,
    STAND_IN,
    'export default module;',
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ ${found(name)};`),
  ].join('\n');
}

/**
 * Loads Node's own modules when the module that needs them runs, and of each only what is used. A
 * plain `import` in a bundle is hoisted: every run would pay for cryptography, threads and a database
 * that most runs never touch.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) => {
      if (kind === 'import-statement') return { path, namespace: 'builtin' };
      return kind === 'dynamic-import' ? { path, namespace: 'needed' } : { path, external: true };
    });
    onLoad({ filter: /.*/, namespace: 'needed' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, async ({ path }) => {
      const builtin: Record<string, unknown> = await import(path);
      const names = Object.keys(builtin)
        .filter((name) => /^[a-z_]\w*$/i.test(name))
        .filter((name) => name !== 'default');
      if (LOADED.includes(path)) return { contents: direct(path, names) };
      return {
        contents: [
          `let loaded; const load = () => (loaded ??= process.getBuiltinModule(${JSON.stringify(path)}));`,
          STAND_IN,
          'export default /* @__PURE__ */ standIn(load);',
          ...names.map((name) => exported(name, builtin[name])),
        ].join('\n'),
      };
    });
  },
};

/** Packages that few runs need, and whose text V8 would parse in every run that has no code cache. */
const RARE = ['chokidar', 'pino', 'yocto-spinner'];

/**
 * Keeps rare packages as text until the module that needs them runs: to pass over a text costs next
 * to nothing, and to parse a program that is not run costs as much as the rest of an idle run.
 */
const rarePackages: Plugin = {
  name: 'rare-packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${RARE.join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'rare',
    }));
    onLoad({ filter: /.*/, namespace: 'rare' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((name) => /^\w+$/.test(name));
      const contents = `export { ${names.join(', ')} } from '${path}'`;
      const packed = await build({
        ...COMMON,
        stdin: { contents, resolveDir: root },
        format: 'cjs',
        write: false,
      });
      const exported = names.map((name) =>
        name === 'default'
          ? 'export default packed.default;'
          : `export const ${name} = packed.${name};`,
      );
      return {
        contents: [
          `const text = ${JSON.stringify(packed.outputFiles[0]?.text)};`,
          'const module = { exports: {} };',
          "new Function('module', 'require', '__filename', text)(module, require, __filename);",
          'const packed = module.exports;',
          ...exported,
        ].join('\n'),
        loader: 'js',
      };
    });
  },
};

/** Ends a comment, and how that is written where the comment must go on. */
const [END, NO_END] = ['*/', '*\x01/'];

/** Before anything that an older Node does not know: it says what is needed, and where to get it. */
const NODE_CHECK = `const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error('espalier: expected Node 24.15 or newer, got ' + process.versions.node + ' (' + process.execPath + '): install it from https://nodejs.org/en/download, or with npm install --global node@24');
  process.exit(2);
}`;

/**
 * The file that is shipped. To V8 the program in it is a comment, which it passes over faster than
 * anything else, in a function that nobody calls: its text is at hand without reading the file again.
 * The program then is compiled from what V8 made of it when it was built.
 */
function shipped(program: string, cache: string): string {
  if (program.includes(NO_END)) throw new Error('the program has the mark of an escaped comment');
  const text = program.replaceAll(END, NO_END);
  if (Buffer.byteLength(text) !== text.length) throw new Error('the program is not ASCII');
  const [before, after] = ['() => {/*', '*/}'];
  const begin = before.length + cache.length;
  return `#!/usr/bin/env node
${NODE_CHECK}
const builtin = process.getBuiltinModule;
const { filename, url } = import.meta;
function compile(held) {
  const cachedData = Buffer.from(held.slice(${before.length}, ${begin}), 'base64');
  const program = held.slice(${begin}, -${after.length}).replaceAll('*\\x01/', '*/');
  return new (builtin('node:vm').Script)(program, { filename, cachedData }).runInThisContext();
}
const held = ${before}${cache}${text}${after};
await compile(String(held))(builtin, filename, url);
`;
}

/** Writes `dist/espalier.mjs`, or another file, and returns its path. */
export async function bundle(outfile = output, ...plugins: readonly Plugin[]): Promise<string> {
  const packed = await build({
    ...COMMON,
    entryPoints: [resolve(root, 'src/main.ts')],
    format: 'esm',
    plugins: [...plugins, lazyBuiltins, rarePackages],
    define: { 'import.meta.url': 'url' },
    // Dependencies in CommonJS call require for Node's own modules.
    banner: { js: "(async function (require, __filename, url) { 'use strict';" },
    footer: { js: '})' },
    write: false,
  });
  const text = packed.outputFiles[0]?.text.replace(/^#!.*/, '') ?? '';
  // What plugins undo may be what the program cannot run without.
  const cache = plugins.length === 0 ? codeCache(text).toString('base64') : '';
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(outfile, shipped(text, cache));
  chmodSync(outfile, 0o755);
  return outfile;
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

if (import.meta.main) {
  const { version } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
  const file = await bundle();
  console.log(`${file}, ${linkLzbt(file)} and ${writeLicenses(file)} (espalier ${version})`);
}
