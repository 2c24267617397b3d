/** What an ESP holds, read from trees that nobody in his right mind would make. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { base32, hash } from '../../src/digest.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { scanInventory } from '../../src/esp/scan-inventory.ts';
import { IMAGE_KINDS } from '../../src/plan/images.ts';
import { aRoot } from '../generation/a-generation.ts';
import { type ASection, aPe } from '../pe/a-pe.ts';
import { MemoryDisk, type Planted } from '../support/memory-disk.ts';
import { throwsWith } from './throws-with.ts';

const id = base32(hash('something'));
const text = (value: string) => new TextEncoder().encode(value);

/** Scans an ESP that holds these files. */
function scan(files: Readonly<Record<string, Planted>>, token = 'nixos') {
  const planted = Object.entries(files).map(([path, content]) => [`/boot/${path}`, content]);
  const disk = new MemoryDisk({ capacity: 1 << 26, files: Object.fromEntries(planted) });
  return scanInventory(disk, '/boot', token, IMAGE_KINDS);
}

function section(name: string, content: string): ASection {
  return { name, bytes: text(content) };
}

const IMAGE = aPe({
  sections: [
    section('.osrel', 'ID=nixos\nPRETTY_NAME="NixOS (Generation 1)"\nVERSION_ID="Generation 1"\n'),
    section('.cmdline', 'init=/nix/store/x/init'),
    section('.linux', 'kernel'),
  ],
});

test('a file that goes while the ESP is read is not there', () => {
  const path = `EFI/Linux/nixos-generation-1-${id}.efi`;
  const blob = `EFI/nixos/kernel-6.12-${id}.efi`;
  const disk = new MemoryDisk({ files: { [`/boot/${path}`]: IMAGE, [`/boot/${blob}`]: IMAGE } });
  const open = (file: string) => {
    disk.remove(file);
    return MemoryDisk.prototype.open.call(disk, file);
  };
  const { entries, blobs } = scanInventory(
    Object.assign(disk, { open }),
    '/boot',
    'nixos',
    IMAGE_KINDS,
  );
  assert.deepEqual([entries, blobs], [[], []]);
});

describe('an image', () => {
  test('is known by its name, its sections and what the menu shows', () => {
    const { entries } = scan({ [`EFI/Linux/nixos-generation-1-${id}+3.efi`]: IMAGE });
    const [entry] = entries;
    assert.equal(entry?.id, `nixos-generation-1-${id}.efi`);
    assert.equal(entry.name?.generation, 1);
    assert.equal(entry.title, 'NixOS (Generation 1)');
    assert.equal(entry.version, 'Generation 1');
    assert.equal(entry.sortKey, 'nixos');
    assert.equal(entry.cmdline, 'init=/nix/store/x/init');
    assert.deepEqual(entry.references, []);
    assert.deepEqual(entry.sections?.map(({ name, size }) => [name, size]).at(-1), ['.linux', 6]);
  });

  test('that is cut short is damaged at every length, and stops nothing', () => {
    for (let length = 0; length < IMAGE.length; length += 37) {
      const { entries } = scan({
        [`EFI/Linux/nixos-generation-1-${id}.efi`]: IMAGE.slice(0, length),
      });
      assert.ok(entries[0]?.damage, `${length} bytes`);
      assert.equal(entries[0].size, length);
    }
  });

  test('that is thin is another’s, and the files it names are told', () => {
    const thin = [
      section('.linux', '\\EFI\\nixos\\kernel-1.efi'),
      section('.linuxh', 'x'),
      section('.initrd', '\\EFI\\nixos\\initrd-1.efi'),
    ];
    const { entries } = scan({
      [`EFI/Linux/nixos-generation-1-${id}.efi`]: aPe({ sections: thin }),
    });
    assert.equal(entries[0]?.name, undefined);
    assert.deepEqual(entries[0]?.references, ['EFI/nixos/kernel-1.efi', 'EFI/nixos/initrd-1.efi']);
  });

  test('that is hidden or starts with auto- is no entry', () => {
    const { entries } = scan({
      'EFI/Linux/.x.efi': IMAGE,
      'EFI/Linux/auto-x.efi': IMAGE,
      'EFI/Linux/x.efi.signed': IMAGE,
      'EFI/Linux/X.EFI': IMAGE,
    });
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['EFI/Linux/X.EFI'],
    );
  });
});

describe('a Type #1 entry', () => {
  const conf = 'title NixOS\nlinux /EFI/nixos/k.efi\ninitrd /EFI/nixos/i.efi\noptions quiet\n';

  test('of ours is whole when its text is what its name says', () => {
    const whole = `loader/entries/nixos-generation-1-${base32(hash(conf))}.conf`;
    const other = `loader/entries/nixos-generation-2-${id}.conf`;
    const { entries } = scan({ [whole]: conf, [other]: conf });
    assert.deepEqual(
      entries.map(({ damage }) => damage),
      [undefined, 'its text is not what its name says'],
    );
    assert.deepEqual(entries[0]?.references, ['EFI/nixos/k.efi', 'EFI/nixos/i.efi']);
  });

  test('of another is taken as it is', () => {
    const { entries } = scan({ 'loader/entries/a.conf': conf, 'loader/entries/b.txt': conf });
    assert.equal(entries.length, 1);
    assert.equal(entries[0]?.name, undefined);
    assert.equal(entries[0]?.damage, undefined);
    assert.equal(entries[0]?.title, 'NixOS');
  });

  test('that is huge is not read, and damaged if it has our name', () => {
    const huge = new Uint8Array(1 << 20).fill(0x61);
    const { entries } = scan({
      'loader/entries/a.conf': huge,
      [`loader/entries/nixos-generation-1-${id}.conf`]: huge,
    });
    assert.deepEqual(
      entries.map(({ references }) => references),
      [[], []],
    );
    assert.ok(entries.find(({ name }) => name !== undefined)?.damage);
  });
});

describe('blobs', () => {
  test('a kernel that is no program is damaged, an initrd may be anything', () => {
    const { blobs } = scan({
      [`EFI/nixos/kernel-6.12-${id}.efi`]: 'x',
      [`EFI/nixos/kernel-6.13-${id}.efi`]: aPe(),
      [`EFI/nixos/initrd-6.12-${id}.efi`]: 'x',
      'EFI/nixos/0c1d-linux-6.12-bzImage.efi': 'x',
      [`EFI/other/kernel-6.12-${id}.efi`]: 'x',
    });
    assert.deepEqual(
      blobs.map(({ name, damage }) => [name.kind, name.version, damage !== undefined]),
      [
        ['initrd', '6.12', false],
        ['kernel', '6.12', true],
        ['kernel', '6.13', false],
      ],
    );
  });

  test('another token has another directory', () => {
    const files = {
      [`EFI/nixos/kernel-1-${id}.efi`]: aPe(),
      [`EFI/lab/kernel-2-${id}.efi`]: aPe(),
    };
    assert.deepEqual(
      scan(files, 'lab').blobs.map(({ name }) => name.version),
      ['2'],
    );
  });
});

describe('the rest', () => {
  test('remains of killed runs are found in every directory of ours, and only there', () => {
    const name = '.espalier-77-3.tmp';
    const ours = ['EFI/nixos', 'EFI/Linux', 'loader/entries', 'EFI/systemd', 'EFI/BOOT', 'loader'];
    const others = ['', 'EFI/', 'EFI/Microsoft/'].map((directory) => `${directory}${name}`);
    const files = [...ours.map((directory) => `${directory}/${name}`), ...others];
    const { temporaries } = scan(Object.fromEntries(files.map((path) => [path, 'half'])));
    assert.deepEqual(
      temporaries.map(({ path }) => path).sort(),
      ours.map((directory) => `${directory}/${name}`).sort(),
    );
  });

  test('an empty file with the short name of one of ours is a remain, and one with content is not', () => {
    const { temporaries } = scan({
      'EFI/Linux/NIXOS-~1.EFI': '',
      'EFI/Linux/NIXOS-~2.EFI': IMAGE,
      'EFI/Linux/ARCH-L~1.EFI': '',
      'loader/entries/nixos-~1.con': '',
    });
    assert.deepEqual(temporaries.map(({ path }) => path).sort(), [
      'EFI/Linux/NIXOS-~1.EFI',
      'loader/entries/nixos-~1.con',
    ]);
  });

  test('a temporary file with the content of a file beside it is its twin', () => {
    const { temporaries } = scan({
      'EFI/Linux/.espalier-1-1.tmp': IMAGE,
      'EFI/Linux/.espalier-1-2.tmp': IMAGE.slice(0, 700),
      'EFI/Linux/.espalier-1-3.tmp': '',
      'EFI/Linux/empty.efi': '',
      'EFI/Linux/x.efi': IMAGE,
    });
    assert.deepEqual(
      temporaries.map(({ twin }) => twin),
      ['EFI/Linux/x.efi', undefined, undefined],
    );
  });

  test('the mark of the layout is read without its line end; an empty one says nothing', () => {
    assert.equal(scan({}).layout, undefined);
    assert.equal(scan({ 'loader/entries.srel': 'type1\n' }).layout, 'type1');
    assert.equal(scan({ 'loader/entries.srel': ' \n' }).layout, undefined);
    assert.match(scan({ 'loader/entries.srel': 'x'.repeat(9999) }).layoutDamage ?? '', /one word/);
  });

  test('space is what the file system says', () => {
    const disk = new MemoryDisk({ capacity: 64 * 4096, clusterSize: 4096 });
    const { total, free, clusterSize } = scanInventory(disk, '/boot', 'nixos', IMAGE_KINDS);
    assert.deepEqual([total, free, clusterSize], [64 * 4096, 63 * 4096, 4096]);
  });

  test('what is no directory is refused', () => {
    const scanNothing = () => scanInventory(new MemoryDisk(), '/none', 'nixos', IMAGE_KINDS);
    assert.throws(scanNothing, { code: 'ESP_NOT_MOUNTED' });
  });
});

describe('hostile trees', () => {
  test('directories with the names of files are no files', () => {
    const inside = 'deeper/x';
    const { entries, blobs, temporaries, loaderConf, layout } = scan({
      [`EFI/Linux/nixos-generation-1-${id}.efi/${inside}`]: 'x',
      [`loader/entries/nixos-generation-1-${id}.conf/${inside}`]: 'x',
      [`EFI/nixos/kernel-6.12-${id}.efi/${inside}`]: 'x',
      [`EFI/Linux/.espalier-1-1.tmp/${inside}`]: 'x',
      [`loader/loader.conf/${inside}`]: 'x',
    });
    assert.deepEqual(
      [entries, blobs, temporaries, loaderConf, layout],
      [[], [], [], undefined, undefined],
    );
  });

  for (const path of ['EFI', 'EFI/Linux', 'EFI/nixos', 'loader', 'loader/entries']) {
    test(`a file where ${path} should be is told by name`, () => {
      throwsWith('FOREIGN_LAYOUT', () => scan({ [path]: 'x' }));
    });
  }

  test('a directory in the place of the mark of the layout is one, and says nothing', () => {
    const { layout, layoutDamage, subdirectories } = scan({ 'loader/entries.srel/inside': 'x' });
    assert.deepEqual([layout, layoutDamage], [undefined, undefined]);
    assert.deepEqual(subdirectories, ['loader/entries.srel']);
  });

  test('of 3,000 entries of others a thousand are read, and of ours all', () => {
    const entries = Array.from({ length: 3000 }, (_, at) => [
      `loader/entries/e${at}.conf`,
      'title x\n',
    ]);
    const ours = Array.from({ length: 1500 }, (_, at) => [
      `loader/entries/nixos-generation-${at}-${id}.conf`,
      'title x\n',
    ]);
    const inventory = scan(Object.fromEntries([...entries, ...ours]));
    assert.equal(inventory.entries.length, 2500);
    assert.equal(inventory.unread, 2000);
  });

  test('links, pipes and files that cannot be read are left alone on a real file system', (t) => {
    const root = aRoot(t);
    const put = (path: string, content: string) => {
      fs.mkdirSync(dirname(join(root, path)), { recursive: true });
      fs.writeFileSync(join(root, path), content);
    };
    put('secret', 'title Secret\n');
    put('loader/entries/a.conf', 'title A\n');
    fs.symlinkSync(join(root, 'secret'), join(root, 'loader/entries/b.conf'));
    fs.symlinkSync('c.conf', join(root, 'loader/entries/c.conf'));
    fs.symlinkSync('/dev/zero', join(root, 'loader/entries.srel'));
    const { entries, layoutDamage } = scanInventory(nodeDisk(), root, 'nixos', IMAGE_KINDS);
    assert.deepEqual(
      entries.map(({ title }) => title),
      ['A'],
    );
    assert.equal(layoutDamage, 'it is no file');
  });

  test('any sections at all are read without a complaint', () => {
    const names = ['.osrel', '.cmdline', '.linux', '.linuxh', '.initrd', '\u001b[2J', ''];
    for (const name of names) {
      const bytes = new Uint8Array(200_000).fill(0xff);
      const path = `EFI/Linux/nixos-generation-1-${id}.efi`;
      const { entries } = scan({ [path]: aPe({ sections: [{ name, bytes }] }) });
      assert.equal(entries.length, 1);
    }
  });
});
