/** Texts of every format: whatever stands in one, its reader returns or refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseExec } from '../../src/confine/exec-command.ts';
import { parseUnit } from '../../src/confine/unit-syntax.ts';
import { parseWords } from '../../src/confine/words.ts';
import { EspError } from '../../src/error.ts';
import { parseBlobName, parseEntryName } from '../../src/esp/layout.ts';
import { parseMounts } from '../../src/esp/mount.ts';
import { parseType1, referencedPath } from '../../src/esp/type1.ts';
import { BOOTSPEC, parseBootspec, SPECIALISATIONS } from '../../src/generation/bootspec.ts';
import { parseLink } from '../../src/generation/profile.ts';
import { loaderVariable, secureBoot } from '../../src/loader/efi-variables.ts';
import {
  formatLoaderConf,
  parseLoaderConf,
  salvageSettings,
} from '../../src/loader/loader-conf.ts';
import { matchesPattern } from '../../src/loader/pattern.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { parseOsRelease } from '../../src/uki/os-release.ts';
import { compareVersions } from '../../src/version.ts';
import { bounds } from '../property/bounds.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { NO_DIGEST } from './case.ts';
import { mutated, texts, tolerates } from './mutation.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('any entry: what it names lies on the ESP', () => {
  const text = texts(
    'title',
    'linux',
    'initrd',
    'options',
    'version',
    '/../..',
    '\\..\\',
    '/EFI',
    '//',
    '.',
  );
  fc.assert(
    fc.property(text, (conf) => {
      for (const path of parseType1(conf).files) {
        assert.ok(!path.split('/').some((part) => ['..', '.'].includes(part)), path);
        assert.ok(!path.startsWith('/'), path);
        assert.equal(referencedPath(path), path);
      }
    }),
    bounds(3000),
  );
});

test('any loader.conf: what can stay of it fits, and stays the next time', () => {
  const id = `nixos-generation-7-${NO_DIGEST}.efi`;
  const text = texts(
    'timeout',
    'editor',
    'default',
    'no',
    '5',
    'console-mode',
    'max',
    'beep',
    '\ufffd',
  );
  fc.assert(
    fc.property(text, (conf) => {
      const { kept } = salvageSettings(parseLoaderConf(conf), { id });
      const written = new TextDecoder().decode(formatLoaderConf(kept, { id }));
      const [first, ...settings] = parseLoaderConf(written);
      assert.deepEqual(first, ['default', id]);
      assert.deepEqual(salvageSettings(settings, { id }), { kept, lost: [] });
    }),
    bounds(3000),
  );
});

test('any os-release', () => {
  const text = texts('ID', 'PRETTY_NAME', 'VERSION_ID', '=', '"', '`', '$');
  fc.assert(
    fc.property(text, (release) => void parseOsRelease(release)),
    bounds(3000),
  );
});

test('any versions and patterns', () => {
  const version = texts('1', '.', '~', '-', '^', '00', 'rc', '999999', '+');
  const pattern = texts('*', '?', '[', ']', '-', '\\', 'a', '[!-~]', '*a');
  fc.assert(
    fc.property(version, version, pattern, (a, b, glob) => {
      assert.equal(compareVersions(a, b) + compareVersions(b, a), 0);
      matchesPattern(glob, a);
    }),
    bounds(3000),
  );
});

test('any names of files, links and mounts', () => {
  const name = texts(
    'nixos-generation-',
    '1',
    '-specialisation-',
    NO_DIGEST,
    '+3-1',
    '.efi',
    '.conf',
    'kernel-',
    '-link',
    'system-',
    '/system-profiles/',
  );
  fc.assert(
    fc.property(name, (text) => {
      assert.ok((parseEntryName('nixos', text)?.generation ?? 0) <= Number.MAX_SAFE_INTEGER);
      parseBlobName(text);
      parseLink(`/${text}`);
      parseMounts(text);
    }),
    bounds(3000),
  );
});

test('any EFI variable', () => {
  const value = Uint8Array.of(7, 0, 0, 0, ...Buffer.from('nixos-generation-1.efi\0', 'utf16le'));
  fc.assert(
    fc.property(mutated(value, new Uint8Array(5)), (content) => {
      const name = 'LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
      const secure = 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
      const files = { [`/vars/${name}`]: content, [`/vars/${secure}`]: content };
      const disk = new MemoryDisk({ files });
      assert.doesNotMatch(loaderVariable(disk, '/vars', 'LoaderEntrySelected') ?? '', /\p{Cc}/u);
      secureBoot(disk, '/vars');
    }),
    bounds(1500),
  );
});

const BASE = {
  system: 'x86_64-linux',
  init: '/init',
  kernel: '/k',
  kernelParams: ['a'],
  label: 'x',
  toplevel: '/t',
};

test('any bootspec: nothing of it becomes a prototype, and paths stay paths', () => {
  const key = fc.constantFrom(
    ...Object.keys(BASE),
    BOOTSPEC,
    SPECIALISATIONS,
    '__proto__',
    'constructor',
    'initrd',
  );
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom('/a', '/\0', 'a\nb', '/x y'),
  );
  const change = fc.array(fc.tuple(key, value), { maxLength: 4 });
  fc.assert(
    fc.property(
      change,
      change,
      fc.option(fc.tuple(fc.nat(900), fc.string())),
      (inner, outer, splice) => {
        const document = {
          ...Object.fromEntries(outer),
          [BOOTSPEC]: { ...BASE, ...Object.fromEntries(inner) },
        };
        const json = JSON.stringify(document);
        const text = splice ? json.slice(0, splice[0]) + splice[1] + json.slice(splice[0]) : json;
        tolerates(() => {
          const bootspec = parseBootspec(text, '/boot.json');
          assert.match(bootspec.kernel, /^\/\P{Cc}*$/u);
          assert.ok(
            [...bootspec.specialisations.values()].every(({ kernel }) => kernel.startsWith('/')),
          );
        });
        assert.equal(Object.getOwnPropertyDescriptor(Object.prototype, 'system'), undefined);
      },
    ),
    bounds(3000),
  );
});

test('any settings file', async () => {
  const toml = texts(
    'limit',
    'esp',
    '=',
    '[loader]',
    '[sections]',
    '[[',
    '{',
    '}',
    '"x"',
    '1',
    'true',
    '__proto__',
    '.',
    'timeout',
    '1979-05-27',
  );
  await fc.assert(
    fc.asyncProperty(toml, async (text) => {
      const disk = new MemoryDisk({ files: { '/config': bytes(text) } });
      const error = await readSettings({ config: '/config' }, {}, disk).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error === undefined || error instanceof EspError, String(error));
    }),
    bounds(1000),
  );
});

test('any unit file', () => {
  const unit = texts(
    '[Service]',
    'ExecStart',
    '=',
    '\\\n',
    '%',
    '%i',
    '$',
    '$X',
    '/bin/sh',
    '@-+!',
    '\\x41',
    '\\u0000',
    '\\777',
    ';',
  );
  fc.assert(
    fc.property(unit, (text) => {
      tolerates(() => {
        for (const { value } of parseUnit(text)) parseExec(value);
      });
      tolerates(() => parseWords(text));
      tolerates(() => parseExec(text));
    }),
    bounds(3000),
  );
});
