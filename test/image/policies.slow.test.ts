/** UKIs that a description of an image asks for, with all that `uki build` knows of policies. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { aWorkbench, type Workbench } from '../command/a-uki.ts';
import { findParts } from '../lab/parts.ts';
import { hasPolicyTools, policyTools } from '../lab/policy-tools.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools, systemPython } from '../lab/tools.ts';
import { POLICY_KEY, POLICY_PUBLIC_KEY } from '../measure/vectors.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';

const parts = findParts();
const missing = missingTools(['python3-pefile', 'openssl', 'mtools']);
const skip =
  parts === undefined || !hasPolicyTools()
    ? 'SKIPPED, missing parts: node test/lab/fetch.ts'
    : missing.length > 0 && `install it: ${installCommand(missing)}`;

const KEYS = `
pcr-private-key = "${POLICY_KEY}"
pcr-public-key = "${POLICY_PUBLIC_KEY}"
phases = "enter-initrd enter-initrd:leave-initrd"
pcr-banks = "sha256 sha1"
sign-initrd-pcrs = true
policyref = "of a test"`;

const CONFIG = `[UKI]
PCRBanks=sha256
[PCRSignature:one]
PCRPrivateKey=${POLICY_KEY}
PCRPublicKey=${POLICY_PUBLIC_KEY}
Phases=enter-initrd
`;

/** Builds a disk whose ESP has one UKI. */
async function disk(bench: Workbench, uki: string) {
  bench.put('ukify.conf', CONFIG);
  bench.put(
    'image.toml',
    `allow-insecure-key = true\n[[partition]]\ntype = "esp"\nsize = "34MiB"\n[partition.uki]
path = "/EFI/Linux/a.efi"\nlinux = "linux"\ninitrd = "initrd"\nos-release = "ID=x"\n${uki}`,
  );
  const output = ['--output', bench.path('disk.raw')];
  return bench.run(['image', 'build', bench.path('image.toml'), ...output]);
}

describe('policies for PCR 11 in the UKI of an image', () => {
  for (const [what, uki, theirs] of [
    [
      'options',
      KEYS,
      [
        `--pcr-private-key=${POLICY_KEY}`,
        `--pcr-public-key=${POLICY_PUBLIC_KEY}`,
        '--phases=enter-initrd enter-initrd:leave-initrd',
        ...['--pcr-banks=sha256,sha1', '--sign-initrd-pcrs', '--policyref=of a test'],
      ],
    ],
    ['a configuration file', 'config = "ukify.conf"', ['--config=ukify.conf']],
  ] as const) {
    test(`${what}: every byte is that of ukify and systemd-measure`, { skip }, async (t) => {
      const bench = aWorkbench(t);
      bench.put('linux', aPe({ dllCharacteristics: 0 }));
      bench.put('initrd', Buffer.concat([Buffer.from('070701'), countingBytes(5001)]));
      const stub = parts?.stub['262'] ?? '';
      const same = `cmdline = "quiet"\nuname = "6.1"\nstub = "${stub}"\n`;
      const made = await disk(bench, `${same}${uki}`);
      assert.equal(made.error, undefined, made.error?.message);
      assert.equal(made.status, 0);
      const at = `${bench.path('disk.raw')}@@${1024 * 1024}`;
      run('mcopy', ['-i', at, '::/EFI/Linux/a.efi', bench.path('ours.efi')]);
      const words = ['--linux=linux', '--initrd=initrd', '--os-release=ID=x', '--cmdline=quiet'];
      run(
        systemPython,
        [
          ...[parts?.ukify['262'] ?? '', 'build', `--tools=${policyTools}`, '--hwids='],
          ...[...words, '--uname=6.1', `--stub=${stub}`, ...theirs, '--output=theirs.efi'],
        ],
        { cwd: bench.folder },
      );
      assert.ok(bytesOf(bench.path('ours.efi')).equals(bytesOf(bench.path('theirs.efi'))));
    });
  }

  for (const [what, uki, message, hint] of [
    ['to print values', 'measure = true', /uki\.measure: give the finished image to espalier/, /./],
    [
      'another signature',
      'config = "own.conf"',
      /its secureboot-private-key does nothing/,
      /signs it/,
    ],
    ['a key with two halves of others', `${KEYS}\npcr-certificate = "a.pem"`, /got both/, /./],
  ] as const) {
    test(`${what} is refused, and nothing is made`, async (t) => {
      const bench = aWorkbench(t);
      bench.put('own.conf', '[UKI]\nSecureBootPrivateKey=a\nSecureBootCertificate=b\n');
      const { error } = await disk(bench, `systemd = "systemd"\n${uki}`);
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.match(error?.message ?? '', message);
      assert.match(error?.hint ?? '', hint);
      assert.ok(!existsSync(bench.path('disk.raw')));
    });
  }
});

/** Without CheckSum, which ukify leaves out. */
function bytesOf(path: string): Buffer {
  const bytes = readFileSync(path);
  const { checksumOffset } = parsePe(bytesSource(bytes));
  return bytes.fill(0, checksumOffset, checksumOffset + 4);
}
