/** Policies for PCR 11 in `uki build`: what does not go together is refused, and nothing is built. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { POLICY_KEY, POLICY_PUBLIC_KEY } from '../measure/vectors.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aWorkbench } from './a-uki.ts';

const KEY = ['--allow-insecure-key', '--pcr-private-key', POLICY_KEY];
const SIGNED = ['--secureboot-private-key', privateKeyPath, '--secureboot-certificate'];

describe('refused', () => {
  const cases: readonly (readonly [string, readonly string[], string | RegExp])[] = [
    [
      'a public key of another key',
      [...KEY, '--pcr-certificate', certificatePath],
      /it is not the key of/,
    ],
    [
      'a public key and a certificate',
      [...KEY, '--pcr-certificate', certificatePath, '--pcr-public-key', POLICY_PUBLIC_KEY],
      /--pcr-public-key or --pcr-certificate, got both/,
    ],
    [
      'phases for one of two keys',
      [...KEY, '--pcr-private-key', privateKeyPath, '--phases', 'enter-initrd'],
      /--phases: expected one for each --pcr-private-key \(2\), got 1/,
    ],
    ['a phase that nobody measures', [...KEY, '--phases', 'lunch'], /--phases: .*got "lunch"/],
    ['a bank that no TPM has', [...KEY, '--pcr-banks', 'md5'], /--pcr-banks: .*got "md5"/],
    ['a reference without a key', ['--policyref', 'x'], /--policyref: .*\(0\), got 1/],
    ['the initrd’s policy without a key', ['--sign-initrd-pcrs'], /there is no --pcr-private-key/],
    ['nobody elsewhere', ['--policy-digest'], /expected one --pcr-public-key/],
    [
      'a key here for somebody elsewhere',
      [...KEY, '--pcr-public-key', POLICY_PUBLIC_KEY, '--policy-digest'],
      /it is for a key elsewhere/,
    ],
    ['signatures without an image', ['--pcrsig', '{}'], /both --join-pcrsig and --pcrsig/],
    ['a key that others can read', ['--pcr-private-key', POLICY_KEY], /private key/],
  ];
  for (const [what, flags, expected] of cases) {
    test(what, async (t) => {
      const bench = aWorkbench(t);
      const { error } = await bench.build(...flags);
      assert.match(error?.message ?? '', new RegExp(expected));
      assert.equal(existsSync(bench.path('out.efi')), false);
    });
  }
});

test('an image is completed with signatures, and signed again where there is a key', async (t) => {
  const bench = aWorkbench(t);
  const elsewhere = ['--policy-digest', '--pcr-public-key', POLICY_PUBLIC_KEY];
  const sign = [...SIGNED, certificatePath, '--allow-insecure-key'];
  const { output } = await bench.build(...elsewhere, ...sign, '--pcr-banks', 'sha256');
  const signed = JSON.parse(output);
  for (const entry of signed.sha256) entry.sig = 'c2ln';
  const join = ['--join-pcrsig', bench.path('out.efi'), '--pcrsig', JSON.stringify(signed)];
  const done = ['build', ...join, '--output', bench.path('done.efi'), '--quiet'];
  assert.equal((await bench.try(done)).status, 5, 'its signature is gone');
  assert.equal((await bench.try([...done, ...sign])).status, 0);
  const verified = await bench.try([
    'verify',
    bench.path('done.efi'),
    '--certificate',
    certificatePath,
  ]);
  assert.equal(verified.status, 0);
  const text = (await bench.texts('done.efi'))['.pcrsig'] ?? '';
  assert.deepEqual(JSON.parse(text), signed);
  const refused = await bench.try([...done, '--linux', bench.path('linux')]);
  assert.match(refused.error?.message ?? '', /--linux: --join-pcrsig completes/);
  bench.put('plain.efi', bench.bytes('systemd/lib/systemd/boot/efi/linuxx64.efi.stub'));
  const none = await bench.try([
    'build',
    '--join-pcrsig',
    bench.path('plain.efi'),
    '--pcrsig',
    '{}',
    '--output',
    bench.path('x'),
  ]);
  assert.match(none.error?.message ?? '', /has no \.pcrsig/);
});

test('the document tells values and what has to be signed', async (t) => {
  const bench = aWorkbench(t);
  const { output } = await bench.build('--measure', '--pcr-banks', 'sha256', '--json');
  assert.equal(JSON.parse(output).values[0].sha256.length, 4);
  const elsewhere = ['--policy-digest', '--pcr-public-key', POLICY_PUBLIC_KEY, '--json'];
  assert.equal(JSON.parse((await bench.build(...elsewhere)).output).policies.sha256.length, 4);
});

test('an addon has no policy, and a profile gets its own where it is joined', async (t) => {
  const bench = aWorkbench(t);
  const stub = ['--stub', bench.path('systemd/lib/systemd/boot/efi/linuxx64.efi.stub')];
  const place = ['--output', bench.path('out.efi'), ...stub];
  const addon = await bench.try(['build', '--cmdline', 'x', ...place, ...KEY]);
  assert.match(addon.error?.message ?? '', /there is no kernel to measure/);
  const profile = await bench.try([
    'build',
    '--profile',
    'ID=a',
    '--cmdline',
    'x',
    ...place,
    ...KEY,
  ]);
  assert.equal(profile.status, 0);
  assert.equal((await bench.texts())['.pcrsig'], undefined);
});
