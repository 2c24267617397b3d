import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Contents } from '../../src/tree/contents.ts';
import { hasNewerTools, newerTools } from '../lab/newer-tools.ts';
import { attempt, environment, run } from '../lab/run.ts';
import { installCommand, isRoot, missingTools } from '../lab/tools.ts';
import { aDirectory, plant } from '../tree/a-tree.ts';
import { aWorkshop, makeAt, makeIn } from './a-workshop.ts';

const absent = missingTools(['attr', 'e2fsprogs', 'erofs-utils', 'squashfs-tools', 'btrfs-progs']);
const skip = absent.length > 0 && `install it: ${installCommand(absent)}`;

/** Files as a system has them, with names that a shell or a script would stumble over. */
function aSystem(t: TestContext) {
  const at = aDirectory(t);
  plant(at, { 'src/usr/bin/program': Buffer.alloc(300_001, 'program'), 'src/etc/empty': '' });
  plant(at, {
    'src/etc/a "quoted" name': 'q',
    "src/etc/it's $HOME": '$',
    'src/etc/-rf': 'r',
    'src/etc/ünï': 'u',
  });
  plant(
    at,
    Object.fromEntries(
      Array.from({ length: 150 }, (_, n) => [`src/var/${'n'.repeat(n)}${n}`, 'x']),
    ),
  );
  chmodSync(at('src/usr/bin/program'), 0o4755);
  symlinkSync('../usr/bin/program', at('src/etc/link'));
  symlinkSync('t'.repeat(200), at('src/etc/long link'));
  // Others must be able to read it.
  chmodSync(at(), 0o755);
  const contents: Contents[] = [{ kind: 'copy', source: at('src'), target: '/' }];
  return { at, source: at('src'), contents };
}

/** Takes everything out of a file system with the tool of its own makers. */
const READERS: Readonly<Record<string, (image: string, into: string) => void>> = {
  ext4(image, into) {
    run('e2fsck', ['-fn', image]);
    mkdirSync(into);
    run('debugfs', ['-R', `rdump / ${into}`, image]);
    rmSync(join(into, 'lost+found'), { recursive: true });
  },
  erofs: (image, into) => void run('fsck.erofs', [`--extract=${into}`, image]),
  squashfs: (image, into) => void run('unsquashfs', ['-no-progress', '-d', into, image]),
};

describe('a file system', { skip }, () => {
  for (const [format, read] of Object.entries(READERS)) {
    test(`of ${format} holds what it was given, and is the same for root and others, here and elsewhere`, async (t) => {
      const { at, source, contents } = aSystem(t);
      const { size } = await makeAt(at('one'), 0, format, contents);
      assert.equal(readFileSync(at('one')).length, size);
      read(at('one'), at('out'));
      run('diff', ['-r', '--no-dereference', source, at('out')]);

      mkdirSync(at('theirs'));
      chmodSync(at('theirs'), 0o777);
      const script = [
        process.execPath,
        resolve(import.meta.dirname, 'a-workshop.ts'),
        at('theirs/two'),
        format,
        source,
      ];
      const asNobody = isRoot()
        ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        : [];
      const words = [...asNobody, ...script].map((word) => `'${word}'`).join(' ');
      run('sh', ['-c', `umask 077; exec ${words}`], {
        env: { TZ: 'Asia/Tokyo', HOME: '/nonexistent', MKE2FS_CONFIG: '/dev/null' },
      });
      assert.ok(readFileSync(at('one')).equals(readFileSync(at('theirs/two'))));
    });
  }

  test('of ext4 has what was staged for it, and nothing of one that was made before it', async (t) => {
    const at = aDirectory(t);
    using workshop = aWorkshop();
    for (const name of ['one', 'two']) {
      const contents: Contents[] = [{ kind: 'text', target: `/${name}`, text: name }];
      await makeIn(workshop, at(name), 0, 'ext4', contents);
      READERS['ext4']?.(at(name), at(`${name}.out`));
      assert.deepEqual(readdirSync(at(`${name}.out`)), [name]);
      assert.equal(readFileSync(at(`${name}.out/${name}`), 'utf8'), name);
    }
  });

  test('of ext4 is whole at an offset, and leaves what is before it alone', async (t) => {
    const { at, source, contents } = aSystem(t);
    const offset = 1024 * 1024;
    await makeAt(at('disk'), offset, 'ext4', contents);
    run('e2fsck', ['-fn', `${at('disk')}?offset=${offset}`]);
    const bytes = readFileSync(at('disk'));
    assert.ok(bytes.subarray(0, offset).every((byte) => byte === 0));
    READERS['ext4']?.(`${at('disk')}?offset=${offset}`, at('out'));
    run('diff', ['-r', '--no-dereference', source, at('out')]);
  });

  test('of ext4 has pipes and devices in the directories where they belong', async (t) => {
    const at = aDirectory(t);
    mkdirSync(at('src/run/deep'), { recursive: true });
    for (const name of ['src/top', 'src/run/deep/pipe']) run('mkfifo', [at(name)]);
    const devices = isRoot() ? { null: [1, 3], high: [7, 300] } : {};
    for (const [name, numbers] of Object.entries(devices)) {
      run('mknod', [at(`src/run/${name}`), 'c', ...numbers.map(String)]);
    }
    const contents: Contents[] = [{ kind: 'copy', source: at('src'), target: '/' }];
    await makeAt(at('disk'), 0, 'ext4', contents);
    run('e2fsck', ['-fn', at('disk')]);
    const stat = (path: string) => run('debugfs', ['-R', `stat ${path}`, at('disk')]);
    for (const path of ['/top', '/run/deep/pipe']) assert.match(stat(path), /Type: FIFO/);
    for (const [name, numbers] of Object.entries(devices)) {
      const [major, minor] = numbers.map((number) => String(number).padStart(2, '0'));
      assert.match(
        stat(`/run/${name}`),
        new RegExp(`Device major/minor number: ${major}:${minor} `),
      );
    }
  });

  test('of ext4 has owners, times and attributes without root, and room where it is asked for', async (t) => {
    const { at } = aSystem(t);
    const contents: Contents[] = [
      { kind: 'text', target: '/etc/passwd', text: 'web:x:70000:5::/:\n' },
      {
        kind: 'text',
        target: '/srv/file',
        text: 'words',
        user: 'web',
        group: '80000',
        mode: 0o640,
      },
      // debugfs would take this name for the number of an inode.
      { kind: 'text', target: '/srv/<2>', text: '', mode: 0o600 },
    ];
    await makeAt(at('disk'), 0, 'ext4', contents, { spare: 20_000_000 });
    const stat = run('debugfs', ['-R', 'stat /srv/file', at('disk')]);
    assert.match(stat, /Mode: +0640/);
    assert.match(stat, /User: 70000 +Group: 80000/);
    assert.match(stat, /mtime: 0x00000001/);
    const odd = run('debugfs', ['-R', 'stat /srv/<2>', at('disk')]);
    assert.match(odd, /Type: regular +Mode: +0600/);
    const free = /Free blocks: +(\d+)/.exec(run('dumpe2fs', ['-h', at('disk')]))?.[1];
    assert.ok(Number(free) * 4096 >= 20_000_000);
    assert.ok(Number(free) * 4096 < 20_500_000);
  });

  test('has the attributes of its sources that are asked for, and no others', async (t) => {
    const { at, source } = aSystem(t);
    const named = `${source}/etc/a "quoted" name`;
    if (attempt('setfattr', ['-n', 'user.kept', '-v', '0x00ff0a22', named]).status !== 0) {
      t.skip('the file system here keeps no attributes of users');
      return;
    }
    run('setfattr', ['-n', 'user.other', '-v', 'x', named]);
    const asked: Contents[] = [{ kind: 'copy', source, target: '/', xattrs: ['user.k*'] }];
    await makeAt(at('disk'), 0, 'ext4', asked);
    const listed = run('debugfs', ['-R', 'ea_list "/etc/a ""quoted"" name"', at('disk')]);
    assert.match(listed, /user\.kept/);
    assert.ok(!listed.includes('user.other'));
    await makeAt(at('erofs'), 0, 'erofs', asked);
    const bytes = readFileSync(at('erofs'));
    // An entry: length and prefix of the name, size of the value, both.
    const entry = Buffer.concat([
      Buffer.from([4, 1, 4, 0]),
      Buffer.from('kept'),
      Buffer.of(0, 0xff, 0x0a, 0x22),
    ]);
    assert.ok(bytes.includes(entry));
    assert.ok(!bytes.includes(Buffer.from('other')));
  });

  test('of ext4 that is too small for its tree is told as a lack of space', async (t) => {
    const { at, contents } = aSystem(t);
    const more: Contents[] = [
      ...contents,
      { kind: 'text', target: '/more', text: 'x'.repeat(4_000_000) },
    ];
    const { plan } = await makeAt(at('one'), 0, 'ext4', contents);
    const size = plan.size ?? 0;
    await assert.rejects(makeAt(at('two'), 0, 'ext4', more, { size }), { code: 'IMAGE_FULL' });
  });

  test('of ext4 takes no more than one part in a hundred beyond what its tree needs', async (t) => {
    const at = aDirectory(t);
    const sizes = fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 300 });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 180 }), async (files, length) => {
        const name = (n: number) => `/d${n % 3}/${'n'.repeat(length)}${n}`;
        const contents: Contents[] = files.map((size, n) => ({
          ...{ kind: 'text', target: name(n), text: 'x'.repeat(size) },
        }));
        const image = at(`disk-${count++}`);
        await makeAt(image, 0, 'ext4', contents);
        run('e2fsck', ['-fn', image]);
        const said = run('dumpe2fs', ['-h', image]);
        const [free, all] = ['Free blocks', 'Block count'].map((what) =>
          Number(new RegExp(`${what}: +(\\d+)`).exec(said)?.[1]),
        );
        assert.ok((free ?? Infinity) <= Math.max(250, (all ?? 0) / 100), `${free} of ${all}`);
      }),
      { numRuns: 8 },
    );
  });

  test('of squashfs is compressed as it is asked, and refuses what it does not know', async (t) => {
    const { at, contents } = aSystem(t);
    await makeAt(at('one'), 0, 'squashfs', contents, {
      compression: { algorithm: 'gzip' },
    });
    assert.match(run('unsquashfs', ['-s', at('one')]), /Compression gzip/);
    const unknown = { compression: { algorithm: 'brotli' } };
    await assert.rejects(makeAt(at('two'), 0, 'squashfs', contents, unknown), {
      code: 'CONFIG_INVALID',
      message: /brotli.*expected one of gzip/,
    });
  });

  test('of btrfs holds what it was given as root, and says that it is never the same twice', async (t) => {
    const { at, source, contents } = aSystem(t);
    const made = makeAt(at('disk'), 0, 'btrfs', contents);
    if (!isRoot()) return assert.rejects(made, { code: 'CONFIG_INVALID', message: /owners/ });
    const { plan } = await made;
    assert.match(plan.unsteady ?? '', /random identifiers/);
    run('btrfs', ['check', at('disk')]);
    mkdirSync(at('out'));
    run('btrfs', ['restore', '-m', '-S', at('disk'), at('out')]);
    run('diff', ['-r', '--no-dereference', source, at('out')]);
  });

  test('of btrfs holds nothing of one that was made before it', {
    skip: !isRoot() && 'only root makes it',
  }, async (t) => {
    const at = aDirectory(t);
    using workshop = aWorkshop();
    for (const name of ['one', 'two']) {
      const contents: Contents[] = [{ kind: 'text', target: `/${name}`, text: name }];
      await makeIn(workshop, at(name), 0, 'btrfs', contents);
      mkdirSync(at(`${name}.out`));
      run('btrfs', ['restore', at(name), at(`${name}.out`)]);
      assert.deepEqual(readdirSync(at(`${name}.out`)), [name]);
    }
  });

  test('by newer programs is the same ext4, and EROFS that is compressed', {
    skip: !hasNewerTools() && 'without newer tools: node test/lab/fetch.ts',
  }, async (t) => {
    const { at, source, contents } = aSystem(t);
    const newer = environment({ PATH: `${newerTools}:${environment()['PATH']}` });
    await makeAt(at('one'), 0, 'ext4', contents);
    const { plan } = await makeAt(at('two'), 0, 'ext4', contents, {}, newer);
    assert.match(plan.by, /1\.47\.2/);
    assert.ok(readFileSync(at('one')).equals(readFileSync(at('two'))));
    for (const algorithm of ['lz4', 'zstd']) {
      const compression = { compression: { algorithm } };
      for (const name of ['three', 'four']) {
        await makeAt(at(name), 0, 'erofs', contents, compression, newer);
      }
      assert.ok(readFileSync(at('three')).equals(readFileSync(at('four'))));
      run('fsck.erofs', [`--extract=${at(algorithm)}`, at('three')], { env: newer });
      run('diff', ['-r', '--no-dereference', source, at(algorithm)]);
      for (const name of ['three', 'four']) rmSync(at(name));
    }
  });

  test('of swap is what mkswap makes, but for its UUID', async (t) => {
    const at = aDirectory(t);
    await makeAt(at('one'), 0, 'swap', [], { spare: 1024 * 1024 });
    const said = run('blkid', ['-p', at('one')]);
    assert.match(
      said,
      /LABEL="root" UUID="01234567-89ab-4def-8123-456789abcdef" VERSION="1" TYPE="swap"/,
    );
    run('truncate', ['-s', '1M', at('two')]);
    run('mkswap', ['-q', '-L', 'root', '-U', '01234567-89ab-4def-8123-456789abcdef', at('two')]);
    assert.ok(readFileSync(at('one')).equals(readFileSync(at('two')).subarray(0, 4096 * 256)));
    await assert.rejects(makeAt(at('three'), 0, 'swap', [], { size: 9 * 4096 }), {
      code: 'IMAGE_FULL',
      message: /needs 40960 bytes \(40.0 KiB\), and its partition has 36864/,
    });
    rmSync(at('three'));
    assert.equal(readdirSync(at()).length, 2);
  });
});
