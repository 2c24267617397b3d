/** Which directories are meant by ESP: each once, the primary first, and a broken mirror stops nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espRoots, expected, findEsps } from '../../src/volumes/esp-roots.ts';
import { aSystem, BOOT, ESP, mounted, type SystemShape } from './a-system.ts';

/** The ESPs of a system, with the code of what is wrong with each. */
async function found(shape: SystemShape): Promise<unknown> {
  const { settings, context } = await aSystem(shape);
  return findEsps(settings, context).map(({ root, failure }) =>
    failure ? [root, failure.code] : [root],
  );
}

describe('ESPs', () => {
  test('are not judged by a kind of table that nobody knows, whatever udev calls it', async () => {
    for (const scheme of ['sgi', 'constructor', '__proto__']) {
      const text = `E:ID_PART_ENTRY_SCHEME=${scheme}\nE:ID_PART_ENTRY_TYPE=x\n`;
      assert.deepEqual(await found({ files: { '/run/udev/data/b8:1': text } }), [[ESP]]);
    }
  });

  test('are those of the settings, the first of them first', async () => {
    assert.deepEqual(await found({ settings: { esp: [BOOT, ESP] } }), [[BOOT], [ESP]]);
  });

  test('count once, also through a link', async () => {
    const files = { '/link': { link: ESP } };
    assert.deepEqual(await found({ files, settings: { esp: [ESP, '/link', ESP] } }), [[ESP]]);
  });

  test('are looked for where they usually are when no setting names one', async () => {
    assert.deepEqual(await found({ settings: { esp: undefined } }), [[ESP]]);
    const mounts = mounted(ESP, '8:1', { type: 'ext4' }) + mounted(BOOT, '8:2');
    assert.deepEqual(await found({ mounts, settings: { esp: undefined } }), [[BOOT]]);
  });

  test('are not guessed where no FAT is mounted', async () => {
    await assert.rejects(found({ mounts: '', settings: { esp: undefined } }), {
      code: 'ESP_NOT_MOUNTED',
      message: /no FAT file system/,
    });
  });

  test('that cannot be used are told, and stop no other', async () => {
    const shape = { mounts: mounted(ESP, '8:1'), settings: { esp: [ESP, BOOT, '/gone'] } };
    assert.deepEqual(await found(shape), [
      [ESP],
      [BOOT, 'ESP_NOT_MOUNTED'],
      ['/gone', 'ESP_NOT_MOUNTED'],
    ]);
  });

  test('of which none can be used are refused with what is wrong with the primary', async () => {
    const mounts = mounted(ESP, '8:1', { options: 'ro' });
    await assert.rejects(found({ mounts, settings: { esp: [ESP, BOOT] } }), {
      code: 'ESP_READ_ONLY',
    });
  });

  test('that are read-only can be read', async () => {
    const mounts = mounted(ESP, '8:1', { options: 'ro' });
    const { settings, context } = await aSystem({ mounts });
    assert.deepEqual(findEsps(settings, context, 'read'), [{ root: ESP }]);
    assert.deepEqual(espRoots(settings, context, 'read'), [ESP]);
  });
});

describe('the roots of ESPs', () => {
  test('have a mirror that is missing: it is told when its turn comes', async () => {
    const { settings, context } = await aSystem({ settings: { esp: [ESP, '/gone'] } });
    assert.deepEqual(espRoots(settings, context), [ESP, '/gone']);
  });

  test('are nothing without the primary, however good the mirror is', async () => {
    const { settings, context } = await aSystem({ settings: { esp: ['/gone', ESP] } });
    assert.throws(() => espRoots(settings, context), { code: 'ESP_NOT_MOUNTED' });
  });
});

describe('an ESP from which firmware does not start', () => {
  const udev = (type: string, scheme = 'gpt') => ({
    '/run/udev/data/b8:1': `E:ID_PART_ENTRY_SCHEME=${scheme}\nE:ID_PART_ENTRY_TYPE=${type}\n`,
  });
  const wrong: readonly (readonly [string, SystemShape])[] = [
    [
      'that shows a directory of the file system alone',
      { mounts: '36 35 8:1 /sub /efi rw - vfat /dev/sda1 rw\n' },
    ],
    ['whose partition is XBOOTLDR', { files: udev('bc13c2ff-59e6-4262-a352-b275fd6f7172') }],
    ['whose partition has basic data', { files: udev('ebd0a0a2-b9e5-4433-87c0-68b6b72699c7') }],
    ['whose partition in an MBR is of another type', { files: udev('0xc', 'dos') }],
  ];
  for (const [what, shape] of wrong) {
    test(`is one ${what}`, async () => {
      await assert.rejects(found(shape), /expected (the whole file system|a partition of type)/);
    });
  }

  test('is none of the right type, in any case of letters, or of which nobody knows', async () => {
    const types = ['C12A7328-F81F-11D2-BA4B-00A0C93EC93B', 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'];
    for (const type of types) assert.deepEqual(await found({ files: udev(type) }), [[ESP]]);
    assert.deepEqual(await found({ files: udev('0xef', 'dos') }), [[ESP]]);
    assert.deepEqual(await found({ files: udev('x', 'other') }), [[ESP]]);
    assert.deepEqual(await found({}), [[ESP]]);
  });
});

test('one partition under two mount points is refused: it is no mirror', async () => {
  const mounts = mounted(ESP, '8:1') + mounted(BOOT, '8:1');
  await assert.rejects(found({ mounts, settings: { esp: [ESP, BOOT] } }), {
    code: 'CONFIG_INVALID',
    message: /\/efi and \/boot are the same file system/,
  });
});

test('a bug is no failure of an ESP', () => {
  assert.throws(() => expected(new TypeError('a bug')), TypeError);
});
