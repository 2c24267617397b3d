/** Settings: which source wins, and what an error names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EspError } from '../../src/error.ts';
import { SETTINGS } from '../../src/loader/loader-conf.ts';
import { valueFault } from '../../src/loader/loader-values.ts';
import type { RawSettings } from '../../src/settings/configuration-file.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { ROWS } from '../../src/settings/verb-options.ts';
import { rejectsWith } from '../command/rejects-with.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

/** Reads settings from all their sources. */
function read(
  flags: RawSettings = {},
  environment: Readonly<Record<string, string>> = {},
  toml?: string,
) {
  const files = toml === undefined ? {} : { '/etc/espalier.toml': toml };
  return readSettings(flags, environment, new MemoryDisk({ files }));
}

describe('where a setting comes from', () => {
  test('without any source the defaults hold', async () => {
    const settings = await read();
    assert.deepEqual(settings.profiles, ['/nix/var/nix/profiles']);
    assert.equal(settings.esp, undefined);
    assert.equal(settings.format, 'auto');
    assert.equal(settings.limit, 0);
    assert.equal(settings.reserve, 0);
    assert.equal(settings['entry-token'], 'nixos');
    assert.equal(settings['allow-unsigned'], false);
  });

  test('a flag wins over the environment, that over the file, that over the default', async () => {
    const toml = 'limit = 3\nformat = "type1"\nreserve = "1K"\n';
    const environment = { ESPALIER_LIMIT: '4', ESPALIER_FORMAT: 'uki' };
    const settings = await read({ limit: '5' }, environment, toml);
    assert.deepEqual([settings.limit, settings.format, settings.reserve], [5, 'uki', 1024]);
  });

  test('the file may be named by a flag or by the environment', async () => {
    const disk = new MemoryDisk({ files: { '/a.toml': 'limit = 1', '/b.toml': 'limit = 2' } });
    const environment = { ESPALIER_CONFIG: '/a.toml' };
    assert.equal((await readSettings({}, environment, disk)).limit, 1);
    assert.equal((await readSettings({ config: '/b.toml' }, environment, disk)).limit, 2);
  });

  test('every option has a variable, and a repeatable one takes a list divided by colons', async () => {
    const settings = await read({}, { ESPALIER_ESP: '/efi:/efi2', ESPALIER_ALLOW_UNSIGNED: '1' });
    assert.deepEqual(settings.esp, ['/efi', '/efi2']);
    assert.equal(settings['allow-unsigned'], true);
    for (const [name, { isTable }] of ROWS) {
      if (isTable) continue;
      const variable = `ESPALIER_${name.toUpperCase().replaceAll('-', '_')}`;
      await assert.rejects(read({}, { [variable]: '\0' }), { code: 'CONFIG_INVALID' }, name).catch(
        // Paths may hold anything; what matters is that the variable is read at all.
        async () => assert.notDeepEqual(await read({}, { [variable]: '\0' }), await read()),
      );
    }
  });

  test('a size may have a suffix, a switch may be written out', async () => {
    for (const [text, bytes] of [
      ['0', 0],
      ['7', 7],
      ['64k', 65_536],
      ['64M', 67_108_864],
      ['2G', 2_147_483_648],
    ] as const) {
      assert.equal((await read({ reserve: text })).reserve, bytes);
    }
    for (const text of ['1', 'true', 'yes']) {
      assert.equal((await read({}, { ESPALIER_FORCE: text })).force, true);
    }
    for (const text of ['0', 'false', 'no', '']) {
      assert.equal((await read({}, { ESPALIER_FORCE: text }, 'force = true')).force, false);
    }
  });
});

describe('alternatives', () => {
  const KEYS = { 'private-key': '/k', 'signing-command': 'sign', signatures: '/s' };

  /** Which of the alternatives are in force. */
  async function keysOf(...sources: Parameters<typeof read>) {
    const settings = await read(...sources);
    return (Object.keys(KEYS) as (keyof typeof KEYS)[]).filter(
      (key) => settings[key] !== undefined,
    );
  }

  test('a flag beats the file, its alternatives included, and so does a variable', async () => {
    for (const [inFile, text] of Object.entries(KEYS)) {
      const toml = `${inFile} = "${text}"\ncertificate = "/c"\n`;
      for (const [flag, value] of Object.entries(KEYS)) {
        assert.deepEqual(await keysOf({ [flag]: value }, {}, toml), [flag]);
        const variable = `ESPALIER_${flag.toUpperCase().replaceAll('-', '_')}`;
        assert.deepEqual(await keysOf({}, { [variable]: value }, toml), [flag]);
      }
      assert.equal((await read({ signatures: '/s' }, {}, toml)).certificate, '/c');
    }
  });

  test('a flag beats what variables and the file say together', async () => {
    const environment = { ESPALIER_SIGNATURES: '/s' };
    const flags = { 'private-key': '/k' };
    assert.deepEqual(await keysOf(flags, environment, 'signing-command = "x"'), ['private-key']);
  });

  test('two alternatives in one place stay two, so that the clash is told', async () => {
    const both = await keysOf({ 'private-key': '/k', signatures: '/s' });
    assert.deepEqual(both, ['private-key', 'signatures']);
    const toml = 'private-key = "/k"\nsignatures = "/s"\n';
    assert.deepEqual(await keysOf({}, {}, toml), ['private-key', 'signatures']);
  });
});

describe('what an error names', () => {
  const flags: readonly (readonly [string, string])[] = [
    ['limit', '-1'],
    ['limit', 'many'],
    ['limit', '1e3'],
    ['reserve', '64MB'],
    ['reserve', '-5'],
    ['format', 'uke'],
    ['entry-token', '../x'],
    ['entry-token', ''],
    ['system', 'x86'],
    ['lock-timeout', 'long'],
    ['stub', ''],
  ];
  for (const [name, value] of flags) {
    test(`--${name} ${JSON.stringify(value)} is refused by its flag, its variable, and its key`, async () => {
      const variable = `ESPALIER_${name.toUpperCase().replaceAll('-', '_')}`;
      const toml = `${name} = ${JSON.stringify(value)}`;
      await rejectsWith('CONFIG_INVALID', new RegExp(`^--${name}: `), read({ [name]: value }));
      await rejectsWith(
        'CONFIG_INVALID',
        new RegExp(`^${variable}: `),
        read({}, { [variable]: value }),
      );
      const key = new RegExp(`^/etc/espalier\\.toml: ${name}: `);
      await rejectsWith('CONFIG_INVALID', key, read({}, {}, toml));
    });
  }

  test('an unknown key of the file is refused by its name', async () => {
    await rejectsWith(
      'CONFIG_INVALID',
      /^\/etc\/espalier\.toml: limits: /,
      read({}, {}, 'limits = 3'),
    );
    const nested = read({}, {}, '[sections]\nlogo = "/x"');
    await rejectsWith('CONFIG_INVALID', /^\/etc\/espalier\.toml: sections\.logo: /, nested);
  });

  test('every setting of loader.conf may be made, and no other: what boots next is not one', async () => {
    const fitting = (key: string) =>
      ['x', 'no', '3', 'off', 'reboot'].find((value) => valueFault(key, value) === undefined);
    const all = SETTINGS.map((key) => `${key} = "${fitting(key)}"\n`).join('');
    const { loader } = await read({}, {}, `[loader]\n${all}`);
    assert.deepEqual(Object.keys(loader), SETTINGS);
    for (const key of ['default', 'preferred', 'time-out', 'Editor']) {
      const named = new RegExp(`^/etc/espalier\\.toml: loader\\.${key}: `);
      await rejectsWith('CONFIG_INVALID', named, read({}, {}, `[loader]\n${key} = "x"`));
    }
  });

  test('a value of loader.conf that the loader passes over is a mistake: it may cost the menu', async () => {
    for (const [line, expected] of [
      ['timeout = "soon"', 'seconds, menu-force'],
      ['timeout = -1', 'seconds, menu-force'],
      ['editor = "maybe"', 'yes or no'],
      ['editor = "No"', 'yes or no'],
      ['console-mode = "wide"', 'a number, auto'],
      ['secure-boot-enroll = "always"', 'off, manual'],
    ] as const) {
      const named = new RegExp(`^/etc/espalier\\.toml: loader\\..*: expected ${expected}`);
      await rejectsWith('CONFIG_INVALID', named, read({}, {}, `[loader]\n${line}`));
    }
    const good =
      'timeout = "menu-force"\neditor = false\nauto-entries = "yes"\nreboot-on-error = "auto"';
    assert.equal(Object.keys((await read({}, {}, `[loader]\n${good}`)).loader).length, 4);
  });

  test('a misspelt key of the file gets the nearest name as a hint, in plain words', async () => {
    const misspelt: readonly (readonly [toml: string, key: string, meant: string])[] = [
      ['limt = 3', 'limt', 'limit'],
      ['private_key = "/k"', 'private_key', 'private-key'],
      ['[sections]\nsplsh = "/x"', 'sections.splsh', 'splash'],
      ['[loader]\ntime-out = 3', 'loader.time-out', 'timeout'],
    ];
    for (const [toml, key, meant] of misspelt) {
      await assert.rejects(read({}, {}, toml), (error: EspError) => {
        assert.match(
          error.message,
          new RegExp(`^/etc/espalier\\.toml: ${key}: (there is )?no such|${key}: no setting`),
        );
        assert.equal(error.hint, `did you mean ${meant}?`);
        return true;
      });
    }
  });

  test('a value of any wrong type is refused in words of ours, never in those of a library', async () => {
    const disk = (toml: string) => new MemoryDisk({ files: { '/etc/espalier.toml': toml } });
    for (const [name] of ROWS) {
      for (const value of ['true', '3.5', '[1, 2]', '[[]]', '""', '{ a = 3 }', '1979-05-27']) {
        const toml = `${name} = ${value}\n`;
        await readSettings({}, {}, disk(toml)).catch((error: EspError) => {
          assert.equal(error.code, 'CONFIG_INVALID', toml);
          assert.match(error.message, new RegExp(`: ${name}`), toml);
          assert.doesNotMatch(error.message, /Expected|Invalid|received|never|NaN/, toml);
          assert.ok(error.hint, toml);
        });
      }
    }
  });

  test('a file that is no TOML is refused with the place of the mistake', async () => {
    const broken = read({}, {}, 'limit = 3\nformat = \n');
    await rejectsWith('CONFIG_INVALID', /^\/etc\/espalier\.toml: not TOML: because .*2:/s, broken);
    await assert.rejects(broken, ({ hint }: EspError) => {
      assert.match(hint ?? '', /^correct line 2\n.*limit = 3\n.*format = \n *\^$/);
      return true;
    });
  });

  test('a file that is named and not there is a mistake of the configuration', async () => {
    const missing = read({ config: '/none.toml' });
    await rejectsWith('CONFIG_INVALID', /\/none\.toml/, missing);
  });

  test('a file that a setting names and that is not there is told by the setting', async () => {
    await rejectsWith(
      'CONFIG_INVALID',
      /^--loader-conf: \/none is no file/,
      read({ 'loader-conf': '/none' }),
    );
    const splash = read({}, {}, '[sections]\nsplash = "/none.bmp"');
    await rejectsWith('CONFIG_INVALID', /^\/etc\/espalier\.toml: sections\.splash: /, splash);
  });
});
