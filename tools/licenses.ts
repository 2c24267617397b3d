/** The licences of the packages that the bundle holds parts of, as they ask to be handed on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** What the lock file says of a package. */
interface Locked {
  readonly version: string;
  readonly license: string;
  readonly dev?: boolean;
  /** Nothing optional is in the bundle, which is the same on every system. */
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** Returns the licences of all packages that the program depends on, however far down. */
export function licenses(): string {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const packages = Object.entries(lock.packages as Readonly<Record<string, Locked>>).filter(
    ([path, { dev, optional, devOptional }]) => path !== '' && !(dev || optional || devOptional),
  );
  const texts = packages.map(([path, { version, license }]) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return `${name} ${version} (${license})\n\n${licenseText(join(root, path)).trim()}\n`;
  });
  return `espalier.mjs holds parts of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function licenseText(directory: string): string {
  const files = readdirSync(directory).filter((name) => /^(licen[cs]e|copying)/i.test(name));
  if (files.length === 0) throw new Error(`${directory}: there is no licence`);
  return files.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n');
}
