/**
 * `npm run package` makes what is handed to others: the tarball of npm and a Debian package for each
 * architecture, all in dist/.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { debianPackage } from './debian-package.ts';
import { ARCHITECTURES, executable } from './executable.ts';

const root = resolve(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const npm = spawnSync('npm', ['pack', '--silent', '--pack-destination', 'dist'], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
if (npm.status !== 0) process.exit(1);
for (const architecture of ['x64', 'arm64'] as const) {
  const program = await executable(architecture);
  const output = join(root, 'dist', `espalier_${version}_${ARCHITECTURES[architecture]}.deb`);
  console.log(await debianPackage({ architecture, program, version, output }));
}
