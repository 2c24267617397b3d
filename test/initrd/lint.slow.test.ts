/** Whether an initrd can open a file system by its root hash. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { describeInitrdFinding, lintInitrd } from '../../src/initrd/lint.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { packers, together } from './an-initrd.ts';

const SERVICE = 'usr/lib/systemd/systemd-veritysetup';
const GENERATOR = 'usr/lib/systemd/system-generators/systemd-veritysetup-generator';
const MODULE = 'usr/lib/modules/6.1.0/kernel/drivers/md/dm-verity.ko';
const BUILT_IN = 'usr/lib/modules/6.1.0/modules.builtin';
const HAS_IT = 'kernel/drivers/md/dm-mod.ko\nkernel/drivers/md/dm-verity.ko\n';
const HAS_IT_NOT = 'kernel/drivers/md/dm-verity-fec.ko\nkernel/drivers/md/dm-mod.ko\n';

type Files = readonly (readonly [path: string, text: string] | string)[];

/** An initrd with files of these paths. */
function initrdWith(files: Files): Uint8Array {
  const members = files.map((file) =>
    typeof file === 'string' ? memberOf(file, 'x') : memberOf(...file),
  );
  return packers.zstd(formatCpio([memberOf('init', 'x'), ...members]));
}

/** What is found, as `kind what`. */
async function lint(bytes: Uint8Array): Promise<string[]> {
  const findings = await lintInitrd(bytesSource(bytes));
  return findings.map((found) =>
    found.kind === 'obstacle' ? `${found.obstacle.kind}` : `${found.kind} ${found.what}`,
  );
}

describe('nothing is missing', () => {
  const nixos = 'nix/store/0123-systemd-262';
  const cases: Readonly<Record<string, Files>> = {
    'with systemd and the module': [SERVICE, GENERATOR, MODULE],
    'with veritysetup alone': ['usr/sbin/veritysetup', MODULE],
    'with a module that is built in': [SERVICE, GENERATOR, [BUILT_IN, HAS_IT]],
    'with modules of two kernels': ['bin/veritysetup', [BUILT_IN, HAS_IT_NOT], MODULE],
    'in the store of NixOS': [
      `${nixos}/lib/systemd/systemd-veritysetup`,
      'etc/systemd/system-generators/systemd-veritysetup-generator',
      'nix/store/4567-linux-modules-shrunk/lib/modules/6.12/kernel/drivers/md/dm-verity.ko.xz',
    ],
    ...Object.fromEntries(
      ['.gz', '.xz', '.zst'].map((end) => [
        `with a module that is packed as ${end}`,
        ['./usr/sbin/veritysetup', `./${MODULE}${end}`],
      ]),
    ),
  };
  for (const [what, files] of Object.entries(cases))
    test(what, async () => assert.deepEqual(await lint(initrdWith(files)), []));

  test('in several archives', async () => {
    const bytes = together(initrdWith([SERVICE]), initrdWith([MODULE]), initrdWith([GENERATOR]));
    assert.deepEqual(await lint(bytes), []);
  });

  test('behind which the bytes do not matter', async () => {
    const bytes = together(initrdWith([SERVICE, GENERATOR, MODULE]), Buffer.from('BZh9'));
    assert.deepEqual(await lint(bytes), []);
  });
});

describe('what is missing is named', () => {
  const cases: readonly (readonly [files: Files, ...expected: string[]])[] = [
    [[], 'missing veritysetup', 'perhaps-built-in dm-verity'],
    [[MODULE], 'missing veritysetup'],
    [[SERVICE, MODULE], 'missing generator'],
    [[GENERATOR, MODULE], 'missing veritysetup'],
    [[SERVICE, GENERATOR], 'perhaps-built-in dm-verity'],
    [[SERVICE, GENERATOR, [BUILT_IN, HAS_IT_NOT]], 'missing dm-verity'],
    [
      [`${SERVICE}@.service`, `${MODULE}.txt`, 'root/dm-verity.ko'],
      'missing veritysetup',
      'perhaps-built-in dm-verity',
    ],
  ];
  for (const [files, ...expected] of cases) {
    test(`of ${JSON.stringify(files)}: ${expected.join(', ')}`, async () => {
      assert.deepEqual(await lint(initrdWith(files)), expected);
    });
  }

  test('and where it was looked for', async () => {
    const findings = await lintInitrd(bytesSource(initrdWith([])));
    assert.deepEqual(findings.map(describeInitrdFinding), [
      `what sets up a verity device not found: looked for ${SERVICE} and usr/sbin/veritysetup`,
      'the kernel module dm-verity not found: looked for usr/lib/modules/*/kernel/drivers/md/dm-verity.ko and usr/lib/modules/*/modules.builtin; perhaps it is built in',
    ]);
  });
});

describe('what cannot be read is a finding of its own', () => {
  test('and what is missing is not guessed', async () => {
    const damaged = initrdWith([MODULE]).subarray(0, 80);
    assert.deepEqual(await lint(damaged), ['damaged']);
    assert.deepEqual(await lint(Uint8Array.from(Buffer.from('BZh91AY&SY'))), ['unreadable']);
  });

  test('with its place', async () => {
    const first = initrdWith([MODULE]);
    const findings = await lintInitrd(bytesSource(together(first, Buffer.from('BZh91AY&SY'))));
    assert.deepEqual(findings.map(describeInitrdFinding), [
      `bzip2 archive at byte ${first.length}: unpacking it is not supported`,
    ]);
  });
});
