/**
 * `npm run build` makes the files that are shipped. `-- --executable` makes one for each architecture
 * that needs no Node as well.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle, bundleLauncher, linkLzbt, stamp, writeLicenses } from './bundle.ts';
import { MANUAL, writePages } from './manual.ts';

const root = resolve(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
const { values } = parseArgs({ options: { executable: { type: 'boolean' } } });
const file = await bundle(undefined, stamp);
const made = [file, await bundleLauncher(file), linkLzbt(file), writeLicenses(file)];
writePages(MANUAL, version);
made.push(MANUAL);
if (values.executable) {
  // What puts a program into Node is needed for nothing else.
  const { executables } = await import('./executable.ts');
  made.push(...(await executables()));
}
console.log(`espalier ${version}: ${made.join(', ')}`);
