/** Bundles the program into the one file that is shipped. */
import { chmodSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const output = resolve(root, 'dist/espalier.mjs');

/**
 * Loads Node's own modules when the module that needs them runs, and of each only what is used. A
 * plain `import` in a bundle is hoisted: every run would pay for cryptography, threads and a database
 * that most runs never touch.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : { path, external: true },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((name) => /^[a-z_]\w*$/i.test(name));
      const exported = names
        .filter((name) => name !== 'default')
        .map((name) => `export const ${name} = /* @__PURE__ */ pick(${JSON.stringify(name)});`);
      return {
        contents: [
          `const pick = (name) => process.getBuiltinModule(${JSON.stringify(path)})[name];`,
          'export default /* @__PURE__ */ new Proxy({}, { get: (_, name) => pick(name) });',
          ...exported,
        ].join('\n'),
        loader: 'js',
      };
    });
  },
};

/** Writes `dist/espalier.mjs` and returns its path. */
export async function bundle(): Promise<string> {
  await build({
    entryPoints: [resolve(root, 'src/main.ts')],
    outfile: output,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    plugins: [lazyBuiltins],
    // Dependencies in CommonJS call require for Node's own modules.
    banner: {
      js: "const require=process.getBuiltinModule('node:module').createRequire(import.meta.url);",
    },
  });
  chmodSync(output, 0o755);
  return output;
}

if (import.meta.main) {
  const { version } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
  console.log(`${await bundle()} (espalier ${version})`);
}
