/** bootctl, which is not ours, sees the entries that we meant. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { install, once, theParts, whatIsMissing } from '../boot/installed.ts';
import { makeProfiles } from '../demo/profiles.ts';
import { espalier } from '../lab/espalier.ts';
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
  const script = `mount -t tmpfs none "$1" && cp -r "$2"/. "$1" && exec "$3" list --no-pager --esp-path="$1" ${options.join(' ')}`;
  const mount = mkdtempSync(join(folder(), 'mount-'));
  return run(
    'unshare',
    ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', mount, esp, path],
    { env: { SYSTEMD_RELAX_ESP_CHECKS: '1', LD_LIBRARY_PATH: libraries.join(':') } },
  );
}

/** bootctl 252 prints one object after the other, and no list. */
function parseListed(text: string): Listed[] {
  return JSON.parse(`[${text.trim().replace(/\}\s*\{/g, '},{')}]`) as Listed[];
}

interface OurEntry extends Listed {
  readonly default: boolean;
}

function ours(esp: string): OurEntry[] {
  const { stdout } = espalier(['list', '--json', '--esp', esp, '--allow-directory']);
  return JSON.parse(stdout).esps[0].entries as OurEntry[];
}

for (const format of ['uki', 'type1', 'thin'] as const) {
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
    assert.deepEqual([...new Set(listed.map(({ sortKey }) => sortKey))], ['nixos']);
    for (const { options } of listed) assert.match(options, /^init=\S+\/init console=ttyS0/);
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

test.after(() => rmSync(folder(), { recursive: true, force: true }));
