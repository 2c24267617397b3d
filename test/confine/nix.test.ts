/** The closure that a real Nix store knows, in a root of its own: the machine that tests has no store. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MAIN } from '../command/a-machine.ts';
import { attempt } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { stored } from './a-service.ts';

const NAMESPACES = ['--mount', '--map-root-user'];
const skip =
  (missingTools(['nix-bin']).length > 0 && 'SKIPPED, needs Debian’s nix-bin') ||
  (attempt('unshare', [...NAMESPACES, 'true']).status !== 0 && 'SKIPPED, may not make namespaces');

/** Runs a shell script where everything of the machine is in sight, and an empty /nix/store. */
function runWithStore(folder: string, script: string) {
  const root = join(folder, 'root');
  fs.mkdirSync(root);
  fs.writeFileSync(join(folder, 'script'), script);
  const enter = `set -e
    mount -t tmpfs tmpfs ${root}
    for path in /*; do
      if [ -L "$path" ]; then cp -P "$path" ${root}; continue; fi
      if [ ! -d "$path" ] || [ "$path" = /nix ]; then continue; fi
      mkdir "${root}$path"; mount --rbind "$path" "${root}$path"
    done
    mkdir -p ${root}/nix/store
    exec chroot ${root} sh -e ${join(folder, 'script')}`;
  return attempt('unshare', [...NAMESPACES, 'sh', '-c', enter], {
    env: { NIX_REMOTE: '', HOME: folder },
  });
}

const [app, library, other] = [stored('app'), stored('lib'), stored('other')];

/** The closure of a registration: path, deriver, number of references, references. */
const registration = [library, '', '0', app, '', '1', library, other, '', '0', ''].join('\n');

test('a service of a Nix store gets the closure that nix-store tells, and nothing else of the store', {
  skip,
}, (t) => {
  const folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'espalier-nix-')));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const unit = join(folder, 'a.service');
  fs.writeFileSync(unit, `[Service]\nExecStart=${app}/bin/app\n`);
  fs.writeFileSync(join(folder, 'registration'), registration);
  const { status, stdout, stderr } = runWithStore(
    folder,
    `for path in ${app} ${library} ${other}; do mkdir -p $path/bin; echo "$path" > $path/bin/app; done
     chmod +x ${app}/bin/app
     nix-store --register-validity < ${folder}/registration
     nix-store --verify
     exec ${process.execPath} ${MAIN} confine --nix --no-bin-sh --quiet --output - ${unit}`,
  );
  assert.equal(status, 0, stderr);
  const bound = stdout.match(/\/nix\/store\/[^\s:"]+/g) ?? [];
  assert.deepEqual([...new Set(bound)].sort(), [app, library].sort(), stdout);
});
