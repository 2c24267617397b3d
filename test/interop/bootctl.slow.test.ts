/** bootctl, which is not ours, sees the entries that we meant. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { install, once, theParts, whatIsMissing } from '../boot/installed.ts';
import { bootTool, hasBootTools } from '../lab/boot-tools.ts';
import { espalier } from '../lab/espalier.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { attempt, run } from '../lab/run.ts';

interface Listed {
  readonly id: string;
  readonly title: string;
  readonly version: string;
  readonly sortKey: string;
  readonly options: string;
}

const folder = once(() => mkdtempSync(join(tmpdir(), 'espalier-bootctl-')));
const world = once(() => makeProfiles(join(folder(), 'world'), theParts()));

/** bootctl wants the root of a file system, which takes a mount in a name space of our own. */
function withoutMounts(): string | false {
  const tried = attempt('unshare', ['--user', '--map-root-user', '--mount', 'true']);
  return tried.status !== 0 && 'SKIPPED, needs user name spaces: run as root';
}

const skip = whatIsMissing([]) || withoutMounts();

/** Runs bootctl's list over a directory. */
function bootctl(esp: string, ...options: string[]): string {
  const { path, libraries } = theParts().bootctl;
  return runOn(esp, [path, 'list', ...options], { LD_LIBRARY_PATH: libraries.join(':') });
}

/** Runs a bootctl on a copy of a directory that is the root of a file system. */
function runOn(esp: string, command: readonly string[], env: Readonly<Record<string, string>>) {
  const script =
    'at="$1"; mount -t tmpfs none "$at" && cp -r "$2"/. "$at" && shift 2 && exec "$@" --no-pager --esp-path="$at"';
  const mount = mkdtempSync(join(folder(), 'mount-'));
  const alone = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  return run('unshare', [...alone, mount, esp, ...command], {
    env: { SYSTEMD_RELAX_ESP_CHECKS: '1', ...env },
  });
}

/** bootctl 252 prints one object after the other, and no list. */
function parseListed(text: string): Listed[] {
  return JSON.parse(`[${text.trim().replace(/\}\s*\{/g, '},{')}]`) as Listed[];
}

interface OurEntry extends Listed {
  readonly default: boolean;
  readonly counter?: { readonly triesLeft: number; readonly triesDone: number };
}

function ours(esp: string): OurEntry[] {
  const { stdout } = espalier(['list', '--json', '--esp', esp, '--allow-directory']);
  return JSON.parse(stdout).esps[0].entries as OurEntry[];
}

for (const format of ['uki', 'shared', 'type1', 'thin'] as const) {
  test(`bootctl lists ${format} entries in our order, with our titles, versions and sort keys`, {
    skip,
  }, () => {
    const esp = join(folder(), format);
    install({ esp, world: world(), format });
    const listed = parseListed(bootctl(esp, '--json=short'));
    const meant = ours(esp);
    assert.deepEqual(
      listed.map(({ id, version }) => ({ id, version })),
      meant.map(({ id, version }) => ({ id, version })),
    );
    assert.deepEqual(
      listed.map(({ title }) => title),
      meant.map(({ title }) => title),
    );
    const sortKey = format === 'thin' ? 'lanzaboote' : 'nixos';
    assert.deepEqual([...new Set(listed.map((entry) => entry.sortKey))], [sortKey]);
    for (const { options } of listed)
      assert.match(options, /^(?:@\d{3} )?init=\S+\/init console=ttyS0/);
  });

  test(`bootctl takes the ${format} entry of the rolled back generation for the default`, {
    skip,
  }, () => {
    const esp = join(folder(), `rolled-back-${format}`);
    install({ esp, world: world(), format, generation: 2 });
    const marked = bootctl(esp).match(/title: (.*) \(default\)/)?.[1] ?? '';
    assert.match(marked, /^NixOS Demo 2/);
    assert.equal(ours(esp).find((entry) => entry.default)?.title, marked);
  });
}

test('bootctl lists what is on XBOOTLDR and on the ESP as one menu, and so do we', {
  skip: skip || (!hasBootTools() && 'SKIPPED, missing parts: node test/lab/fetch.ts'),
}, () => {
  const [esp, xbootldr] = [join(folder(), 'apart-esp'), join(folder(), 'apart-xbootldr')];
  mkdirSync(xbootldr);
  install({ esp, xbootldr, world: world() });
  mkdirSync(join(esp, 'loader/entries'), { recursive: true });
  writeFileSync(join(esp, 'loader/entries/rescue.conf'), 'title Rescue\nlinux /EFI/rescue\n');
  const [command = '', ...words] = bootTool('bootctl');
  const script = `at="$1"; for place in esp xbootldr; do
      mkdir "$at/$place"; mount -t tmpfs none "$at/$place"; cp -r "$2/apart-$place/." "$at/$place"
    done
    shift 2; exec "$@" --no-pager --esp-path="$at/esp" --boot-path="$at/xbootldr"`;
  const mount = mkdtempSync(join(folder(), 'mount-'));
  const alone = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  const listed = run(
    'unshare',
    [...alone, mount, folder(), command, ...words, 'list', '--json=short'],
    { env: { SYSTEMD_RELAX_ESP_CHECKS: '1', SYSTEMD_RELAX_XBOOTLDR_CHECKS: '1' } },
  );
  const theirs = (JSON.parse(listed) as Counted[]).map(({ id, isDefault }) => ({ id, isDefault }));
  const places = ['--esp', esp, '--xbootldr', xbootldr];
  const { stdout } = espalier(['list', '--json', ...places, '--allow-directory']);
  const menu = JSON.parse(stdout).esps[0].entries as OurEntry[];
  assert.ok(menu.some(({ id }) => id === 'rescue.conf') && menu.length > 4);
  assert.deepEqual(
    theirs,
    menu.map(({ id, default: isDefault }) => ({ id, isDefault })),
  );
});

test('bootctl lists an extra entry, and would not boot it unless it is chosen', { skip }, () => {
  const esp = join(folder(), 'extra');
  const config = `
    [extra-entries]
    "memtest.conf" = "title Memory test\\nsort-key aaa\\nefi /EFI/memtest/memtest.efi\\n"
    [extra-files]
    "EFI/memtest/memtest.efi" = "${theParts().stub['257']}"`;
  install({ esp, world: world(), config });
  const text = bootctl(esp);
  assert.match(text, /title: Memory test (?!.*default)/);
  assert.match(text.match(/title: (.*) \(default\)/)?.[1] ?? '', /^NixOS Demo/);
  const listed = parseListed(bootctl(esp, '--json=short'));
  assert.deepEqual(
    listed.map(({ id }) => id),
    ours(esp).map(({ id }) => id),
  );
  // Its sort key is the first of all.
  assert.equal(listed[0]?.id, 'memtest.conf');
});

/** What a counter is to bootctl 257, and to us. */
interface Counted {
  readonly id: string;
  readonly triesLeft?: number;
  readonly triesDone?: number;
  readonly isDefault: boolean;
}

for (const [format, directory] of [
  ['uki', 'EFI/Linux'],
  ['type1', 'loader/entries'],
] as const) {
  test(`bootctl 257 reads the counters of ${format} entries as we do, and what they change`, {
    skip: skip || (!hasBootTools() && 'SKIPPED, missing parts: node test/lab/fetch.ts'),
  }, () => {
    const esp = join(folder(), `counted-${format}`);
    install({ esp, world: world(), format, bootCounting: 3 });
    const became: Readonly<Record<string, string>> = { 1: '', 3: '+2-1', 5: '+0-3' };
    for (const name of readdirSync(join(esp, directory))) {
      const [, number = ''] = /-generation-(\d+)-/.exec(name) ?? [];
      const renamed = name.replace('+3', became[number] ?? '+3');
      renameSync(join(esp, directory, name), join(esp, directory, renamed));
    }
    const command = [...bootTool('bootctl'), 'list', '--json=short'];
    const listed = JSON.parse(runOn(esp, command, {})) as Counted[];
    const meant = ours(esp).map(({ id, counter, default: isDefault }) => ({
      id,
      ...counter,
      isDefault,
    }));
    assert.deepEqual(
      // It leaves out how many are done where the name says nothing of it.
      listed.map(({ id, triesLeft, triesDone = 0, isDefault }) => ({
        id,
        ...(triesLeft === undefined ? {} : { triesLeft, triesDone }),
        isDefault,
      })),
      meant,
    );
    assert.equal(meant.at(-1)?.triesLeft, 0);
    assert.match(meant.find(({ isDefault }) => isDefault)?.id ?? '', /-generation-3-/);
  });
}

test.after(() => rmSync(folder(), { recursive: true, force: true }));
