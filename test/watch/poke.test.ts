import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type Lookout, openLookout, type Place } from '../../src/watch/poke.ts';

/** How many things the kernel watches for this process (proc(5) §fdinfo). */
function kernelWatches(): number {
  return fs.readdirSync('/proc/self/fdinfo').reduce((sum, fd) => {
    try {
      const info = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
      return sum + (info.match(/^inotify wd:/gm)?.length ?? 0);
    } catch {
      return sum; // the descriptor with which the directory was read
    }
  }, 0);
}

function locate(path: string): Place | undefined {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return undefined;
  return { path: fs.realpathSync(path), identity: `${stat.dev}:${stat.ino}` };
}

/** A lookout, and a way to wait for its next poke. */
interface Watched {
  readonly lookout: Lookout;
  /** Does something and waits until it led to a poke. */
  pokes(work: () => void): Promise<void>;
}

function aLookout(t: TestContext, find = locate): Watched {
  let heard = (): void => undefined;
  const lookout = openLookout({ locate: find, poke: () => heard() });
  t.after(() => lookout.close());
  return {
    lookout,
    pokes(work) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(() => reject(new Error('nobody poked')), 60_000);
      heard = () => {
        clearTimeout(timer);
        resolve();
      };
      work();
      return promise;
    },
  };
}

function aDirectory(t: TestContext): string {
  const directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'espalier-watch-')));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Returns a directory of profiles with links to systems that hold directories of their own. */
function someProfiles(t: TestContext, links: number): string {
  const root = aDirectory(t);
  const profiles = join(root, 'profiles');
  fs.mkdirSync(profiles);
  fs.mkdirSync(join(profiles, 'system-profiles'));
  for (const name of ['a', 'b', 'c']) {
    for (const inner of ['bin', 'etc/systemd', 'kernel-modules/lib/modules']) {
      fs.mkdirSync(join(root, 'store', name, inner), { recursive: true });
    }
  }
  for (let number = 1; number <= links; number++) {
    fs.symlinkSync(join(root, 'store', 'abc'[number % 3] ?? ''), link(profiles, number));
  }
  return profiles;
}

const link = (profiles: string, number: number): string => join(profiles, `system-${number}-link`);

/** What `ln -sfn` and `nix-env --switch-generation` do. */
function swap(profiles: string, target: string): void {
  fs.symlinkSync(target, join(profiles, 'new'));
  fs.renameSync(join(profiles, 'new'), join(profiles, 'system'));
}

const both = (profiles: string): readonly string[] => [profiles, join(profiles, 'system-profiles')];

describe('what is watched', () => {
  for (const links of [3, 1000]) {
    test(`${links} links: two directories, and the kernel watches nothing else`, async (t) => {
      const profiles = someProfiles(t, links);
      const before = kernelWatches();
      const { lookout } = aLookout(t);
      assert.deepEqual([...(await lookout.arm(both(profiles)))], []);
      assert.deepEqual(lookout.watched(), both(profiles));
      assert.equal(kernelWatches() - before, 2);
      await lookout.close();
      assert.equal(kernelWatches(), before);
    });
  }

  test('to arm again changes nothing where nothing moved', async (t) => {
    const profiles = someProfiles(t, 3);
    const before = kernelWatches();
    const { lookout } = aLookout(t);
    for (let time = 0; time < 3; time++) await lookout.arm(both(profiles));
    assert.equal(kernelWatches() - before, 2);
  });

  test('a directory that is reached through a link is watched where it lies', async (t) => {
    const profiles = someProfiles(t, 1);
    const alias = join(aDirectory(t), 'alias');
    fs.symlinkSync(profiles, alias);
    const { lookout, pokes } = aLookout(t);
    await lookout.arm([alias]);
    assert.deepEqual(lookout.watched(), [profiles]);
    await pokes(() => fs.unlinkSync(link(profiles, 1)));
  });

  test('without a directory the nearest one above it is watched, once for all', async (t) => {
    const root = aDirectory(t);
    const { lookout } = aLookout(t);
    await lookout.arm(both(join(root, 'nix/var/nix/profiles')));
    assert.deepEqual(lookout.watched(), [root]);
  });

  test('the kernel’s refusal to watch is told, by path', (t) => {
    const script = `
      import { openLookout } from '${join(import.meta.dirname, '../../src/watch/poke.ts')}';
      const locate = (path) => ({ path, identity: '1' });
      const lookout = openLookout({ locate, poke: () => console.log('poked') });
      for (const [path, trouble] of await lookout.arm(['/tmp'])) console.log(path, trouble.code);
      console.log(lookout.watched().length);
      await lookout.close();`;
    const limited = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"';
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const ran = spawnSync('unshare', ['-Ur', 'sh', '-c', limited, 'sh', ...node], {
      encoding: 'utf8',
    });
    if (ran.error || /unshare|max_inotify/.test(ran.stderr)) {
      t.skip('needs unshare and user namespaces');
      return;
    }
    assert.equal(ran.stdout, '/tmp ENOSPC\n0\n', ran.stderr);
  });
});

describe('a poke comes', () => {
  const changes: Readonly<Record<string, (profiles: string) => void>> = {
    'a new generation': (profiles) => fs.symlinkSync('/nowhere', link(profiles, 9)),
    'a link that leads nowhere': (profiles) => fs.symlinkSync('gone', join(profiles, 'system')),
    'an atomic switch': (profiles) => swap(profiles, 'system-2-link'),
    'a deleted generation': (profiles) => fs.unlinkSync(link(profiles, 1)),
    'a generation of a named profile': (profiles) =>
      fs.symlinkSync('/nowhere', join(profiles, 'system-profiles/work-1-link')),
    'the directory’s own removal': (profiles) => fs.rmSync(profiles, { recursive: true }),
    'the directory’s move': (profiles) => fs.renameSync(profiles, `${profiles}.old`),
  };
  for (const [name, change] of Object.entries(changes)) {
    test(`after ${name}`, async (t) => {
      const profiles = someProfiles(t, 3);
      const { lookout, pokes } = aLookout(t);
      await lookout.arm(both(profiles));
      await pokes(() => change(profiles));
    });
  }

  test('when a directory appears that was not there, and then for what it holds', async (t) => {
    const root = aDirectory(t);
    const profiles = join(root, 'nix/profiles');
    const { lookout, pokes } = aLookout(t);
    await lookout.arm([profiles]);
    await pokes(() => fs.mkdirSync(join(root, 'nix')));
    await lookout.arm([profiles]);
    await pokes(() => fs.mkdirSync(profiles));
    await lookout.arm([profiles]);
    assert.deepEqual(lookout.watched(), [profiles]);
    await pokes(() => fs.symlinkSync('/nowhere', link(profiles, 1)));
  });

  const replacements: Readonly<Record<string, (profiles: string) => void>> = {
    'moved away': (profiles) => fs.renameSync(profiles, `${profiles}.old`),
    // The new directory gets the number of the old one on many file systems.
    removed: (profiles) => fs.rmSync(profiles, { recursive: true }),
  };
  for (const [name, replace] of Object.entries(replacements)) {
    test(`for what a new directory holds after the old one was ${name}`, async (t) => {
      const profiles = someProfiles(t, 3);
      const { lookout, pokes } = aLookout(t);
      await lookout.arm([profiles]);
      await pokes(() => {
        replace(profiles);
        fs.mkdirSync(profiles);
      });
      await lookout.arm([profiles]);
      assert.deepEqual(lookout.watched(), [profiles]);
      await pokes(() => fs.symlinkSync('/nowhere', link(profiles, 1)));
    });
  }

  test('for what was mounted over a directory, once the next pass has armed', async (t) => {
    const [below, above] = [aDirectory(t), aDirectory(t)];
    let mounted = false;
    const { lookout, pokes } = aLookout(t, () => locate(mounted ? above : below));
    await lookout.arm(['/profiles']);
    mounted = true;
    await lookout.arm(['/profiles']);
    assert.deepEqual(lookout.watched(), [above]);
    await pokes(() => fs.mkdirSync(join(above, 'x')));
  });
});
