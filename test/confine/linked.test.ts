import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { describe, test } from 'node:test';
import { openLibraries } from '../../src/confine/linked.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { MemoryDisk, type Planted } from '../support/memory-disk.ts';
import { anElf } from './an-elf.ts';
import { hasTool } from './host.ts';

/** Returns the places of what is bound for a program, as `source` where it comes from elsewhere. */
function linked(
  files: Readonly<Record<string, Planted>>,
  place = '/usr/bin/program',
  libraryPath: readonly string[] = [],
): string[] {
  const disk = new MemoryDisk({ files });
  const source = disk.realPath(place) ?? '';
  const libraries = openLibraries(disk, libraryPath);
  const elf = libraries.elf(source);
  assert.ok(elf);
  return libraries
    .linkedTo({ source, place }, elf)
    .map((bind) => (bind.source === bind.place ? bind.place : `${bind.source} at ${bind.place}`));
}

const GLIBC = '/lib64/ld-linux-x86-64.so.2';
const LOADER = { [GLIBC]: anElf({ soname: 'ld-linux-x86-64.so.2' }) };
const needs = (...needed: string[]) => anElf({ interpreter: GLIBC, needed });

describe('the libraries of a program', () => {
  for (const path of ['/bin/bash', process.execPath, '/usr/bin/perl', '/usr/bin/busybox']) {
    test(`of ${path} are those that ldd shows`, (t) => {
      if (!hasTool('ldd') || !hasTool(path.split('/').at(-1) ?? '')) return t.skip('needs ldd');
      const shown = spawnSync('ldd', [path], { encoding: 'utf8' }).stdout;
      const expected = [...shown.matchAll(/(?:=> |\t)(\/\S+) \(0x/g)].map(([, file]) => file);
      const libraries = openLibraries(nodeDisk(), []);
      const source = realpathSync(path);
      const elf = libraries.elf(source);
      assert.ok(elf);
      const got = libraries.linkedTo({ source, place: path }, elf).map(({ place }) => place);
      assert.deepEqual(got.filter((place) => place !== '/etc/ld.so.cache').sort(), expected.sort());
    });
  }

  test('come with what they need themselves, each once', () => {
    const got = linked({
      ...LOADER,
      '/usr/bin/program': needs('liba.so', 'libb.so'),
      '/usr/lib64/liba.so': anElf({ needed: ['libb.so', 'ld-linux-x86-64.so.2'] }),
      '/usr/lib64/libb.so': anElf({ needed: ['liba.so'] }),
    });
    assert.deepEqual(got, [GLIBC, '/usr/lib64/liba.so', '/usr/lib64/libb.so']);
  });

  test('are bound where the linker looks, also when a link lies there', () => {
    const got = linked({
      ...LOADER,
      '/usr/bin/program': needs('liba.so.1'),
      '/usr/lib64/liba.so.1': { link: 'liba.so.1.2.3' },
      '/usr/lib64/liba.so.1.2.3': anElf(),
    });
    assert.deepEqual(got, [GLIBC, '/usr/lib64/liba.so.1.2.3 at /usr/lib64/liba.so.1']);
  });

  test('of another machine or width are passed over', () => {
    const got = linked({
      ...LOADER,
      '/usr/bin/program': needs('liba.so'),
      '/lib/x86_64-linux-gnu/liba.so': anElf({ machine: 183 }),
      '/usr/lib/x86_64-linux-gnu/liba.so': anElf({ bits: 32 }),
      '/lib64/liba.so': 'INPUT(liba.so.1)',
      '/usr/lib64/liba.so': anElf(),
    });
    assert.deepEqual(got, [GLIBC, '/usr/lib64/liba.so']);
  });

  test('are found beside the program by $ORIGIN, and inside beside the link to it', () => {
    const files = {
      ...LOADER,
      '/usr/bin/program': { link: '/opt/it/bin/program' },
      '/opt/it/bin/program': anElf({
        interpreter: GLIBC,
        needed: ['liba.so'],
        runpath: '$ORIGIN/../lib',
      }),
      '/opt/it/lib/liba.so': anElf(),
    };
    assert.deepEqual(linked(files), [GLIBC, '/opt/it/lib/liba.so at /usr/lib/liba.so']);
    assert.deepEqual(linked(files, '/opt/it/bin/program'), [GLIBC, '/opt/it/lib/liba.so']);
  });

  test('are found by the RPATH of what loads their loader, but not by its RUNPATH', () => {
    const tree = (paths: { rpath?: string; runpath?: string }) => ({
      ...LOADER,
      '/usr/bin/program': anElf({ interpreter: GLIBC, needed: ['liba.so'], ...paths }),
      '/own/liba.so': anElf({ needed: ['libb.so'] }),
      '/own/libb.so': anElf(),
    });
    assert.deepEqual(linked(tree({ rpath: '/own' })), [GLIBC, '/own/liba.so', '/own/libb.so']);
    assert.throws(() => linked(tree({ runpath: '/own' })), /\/own\/liba.so needs libb.so/);
  });

  test('are looked for in LD_LIBRARY_PATH after RPATH and before RUNPATH', () => {
    const tree = (paths: { rpath?: string; runpath?: string }) => ({
      ...LOADER,
      '/usr/bin/program': anElf({ interpreter: GLIBC, needed: ['liba.so'], ...paths }),
      '/own/liba.so': anElf(),
      '/given/liba.so': anElf(),
    });
    const with_ = (paths: object) => linked(tree(paths), '/usr/bin/program', ['/given']);
    assert.deepEqual(with_({ rpath: '/own' }), [GLIBC, '/own/liba.so']);
    assert.deepEqual(with_({ runpath: '/own' }), [GLIBC, '/given/liba.so']);
  });

  test('come in every variant for a processor that the linker may choose', () => {
    const variant = '/usr/lib64/glibc-hwcaps/x86-64-v3/liba.so';
    const got = linked({
      ...LOADER,
      '/usr/bin/program': needs('liba.so'),
      '/usr/lib64/liba.so': anElf(),
      [variant]: anElf(),
    });
    assert.deepEqual(got, [GLIBC, '/usr/lib64/liba.so', variant]);
  });

  test('are looked for by the rules of musl where its linker is the interpreter', () => {
    const musl = '/lib/ld-musl-x86_64.so.1';
    const got = linked({
      [musl]: anElf({ soname: 'libc.musl-x86_64.so.1' }),
      '/usr/bin/program': anElf({
        interpreter: musl,
        needed: ['libc.musl-x86_64.so.1', 'libpthread.so.0', 'liba.so'],
      }),
      '/etc/ld-musl-x86_64.path': '/lib:/extra\n',
      '/extra/liba.so': anElf(),
      '/usr/lib64/liba.so': anElf(),
    });
    assert.deepEqual(got, [musl, '/etc/ld-musl-x86_64.path', '/extra/liba.so']);
  });

  test('of a static program are none', () => {
    assert.deepEqual(linked({ '/usr/bin/program': anElf() }), []);
  });

  test('that are missing are named together with what needs them', () => {
    const files = { ...LOADER, '/usr/bin/program': needs('libgone.so') };
    assert.throws(
      () => linked(files),
      (error) => error instanceof EspError && /program needs libgone\.so/.test(error.message),
    );
    assert.throws(() => linked({ '/usr/bin/program': needs() }), /its dynamic linker .* not on/);
  });
});
