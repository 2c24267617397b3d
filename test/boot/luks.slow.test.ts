/** Under real firmware: a disk that was enrolled for our key opens for an image that was made since. */
import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasLuksTools, luksMark, luksMembers, makeLuksVolume } from '../lab/luks.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { POLICY_KEY, POLICY_PUBLIC_KEY } from '../measure/vectors.ts';
import { assertBooted, bootDirectory, install, theParts, whatIsMissing } from './installed.ts';

const skip =
  whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'swtpm', 'cryptsetup-bin']) ||
  (!hasLuksTools() && 'SKIPPED, missing parts: node test/lab/fetch.ts');

test('a LUKS volume opens for a generation of a shared image after another has joined, and what is declared for every image reaches it', {
  skip,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-luks-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const world = makeProfiles(join(folder, 'world'), theParts(), luksMembers(theParts()));
  const esp = join(folder, 'esp');
  const source = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return JSON.stringify(join(folder, name));
  };
  const config = `
[addons]
word = { cmdline = "espalier.addon=1" }
[credentials]
"greeting.cred" = ${source('greeting', 'sealed')}
[extensions]
"tools.sysext.raw" = ${source('tools', 'for /usr')}
"site.confext.raw" = ${source('site', 'for /etc')}
`;
  const makeWith = (newest: number, generation = newest) => {
    rmSync(join(world.profiles, 'system'));
    symlinkSync(`system-${newest}-link`, join(world.profiles, 'system'));
    const policyKey = POLICY_KEY;
    install({ esp, world, format: 'shared', systemd: '262', policyKey, config, generation });
    return imageOf(esp, 2);
  };
  const [link, away] = [join(world.profiles, 'system-5-link'), join(folder, 'away')];
  renameSync(link, away);
  const alone = makeWith(3);
  const volume = await makeLuksVolume(join(folder, 'luks'), POLICY_PUBLIC_KEY);
  renameSync(away, link);
  assert.notEqual(makeWith(5), alone);
  assert.equal(makeWith(5, 2), imageOf(esp, 5));

  const tpm = join(folder, 'luks/state');
  const boot = await bootDirectory(esp, { kind: 'off' }, { tpm, disks: [volume] });
  assertBooted(boot, '2');
  const said = boot.console.split('\n').flatMap((line) => line.split(`${luksMark} `)[1] ?? []);
  assert.deepEqual(
    said.map((line) => line.trim()),
    [
      ...['early=1', 'volume=0', '/.extra/global_confext/site.confext.raw=for /etc'],
      '/.extra/global_credentials/greeting.cred=sealed',
      '/.extra/global_sysext/tools.sysext.raw=for /usr',
    ],
    boot.console.slice(-20000),
  );
  assert.match(boot.proof?.cmdline ?? '', / espalier\.addon=1$/);
});

/** The image that the entry of a generation leads to. */
function imageOf(esp: string, generation: number): string {
  const directory = join(esp, 'loader/entries');
  const mine = new RegExp(`-generation-${generation}-[a-z2-7]{52}`);
  const name = readdirSync(directory).find((each) => mine.test(each)) ?? '';
  return /^linux \/(.*)$/m.exec(readFileSync(join(directory, name), 'utf8'))?.[1] ?? '';
}
