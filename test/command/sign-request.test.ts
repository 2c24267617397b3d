/** Whoever signs a request is shown what it is for, and signs no bare kernel unasked. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { digestOf, hash } from '../../src/digest.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { imageDigest } from '../../src/recipe/to-sign.ts';
import { formatSigningRequest, type RequestedProgram } from '../../src/signer/signing-document.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificateDer, certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aWorkbench } from './a-uki.ts';

const LOADER = aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] });
/** An EFI program that says of itself that it is a kernel for x86. */
const KERNEL = (() => {
  const bytes = Buffer.from(aPe({ sizeOfHeaders: 0x400 }));
  bytes.write('HdrS', 0x202);
  return Uint8Array.from(bytes);
})();

async function aBench(t: TestContext) {
  const bench = aWorkbench(t);
  const key = bench.put('db.key', privateKeyPem);
  fs.chmodSync(key, 0o600);
  const ask = async (changes: Partial<RequestedProgram> = {}, source = LOADER) => {
    const path = bench.put('store/nix/store/loader.efi', source);
    const image = digestOf(await imageDigest({ kind: 'signed', path }, nodeDisk()));
    const program = { what: 'loader', path: 'EFI/BOOT/BOOTX64.EFI', size: 99, image } as const;
    const named = { ...program, source: '/nix/store/loader.efi', ...changes };
    const origin = { machine: 'a-laptop', since: '2026-01-02T03:04:05.000Z' };
    const text = formatSigningRequest(hash(certificateDer), [named], origin);
    return bench.put('request.json', text);
  };
  const sign = async (...more: readonly string[]) => {
    const shown: string[] = [];
    const write = t.mock.method(process.stderr, 'write', (text: string) => {
      shown.push(text);
      return true;
    });
    try {
      const pair = ['--certificate', certificatePath, '--private-key', key];
      const args = ['sign', '--request', bench.path('request.json'), ...pair, ...more];
      return { ...(await bench.run(args)), shown: shown.join('') };
    } finally {
      write.mock.restore();
    }
  };
  return { bench, ask, sign, store: bench.path('store'), key };
}

describe('sign --request', () => {
  test('shows kind, path, size, digest, machine and time before it signs', async (t) => {
    const { ask, sign } = await aBench(t);
    await ask();
    const { status, shown, output } = await sign();
    assert.equal(status, 0);
    assert.match(shown, /asked for by a-laptop, 2026-01-02T03:04:05\.000Z:/);
    assert.match(shown, / {2}loader EFI\/BOOT\/BOOTX64\.EFI, 99 bytes, digest [0-9a-f]{64}\n/);
    assert.equal(JSON.parse(output).signatures.length, 1);
  });

  test('cannot redraw what the signer is shown: no control character of it reaches the terminal', async (t) => {
    const { bench, ask, sign } = await aBench(t);
    const request = JSON.parse(fs.readFileSync(await ask(), 'utf8'));
    const forged = { ...request, since: 'now\u001b[2J\rnothing', machine: 'a\u001b[1Alaptop' };
    bench.put('request.json', JSON.stringify(forged));
    const { shown } = await sign();
    assert.match(shown, /asked for by a.*laptop, now.*nothing:/);
    assert.doesNotMatch(shown, /[^\n\P{Cc}]/u);
  });

  test('signs only the kinds that are named', async (t) => {
    const { ask, sign } = await aBench(t);
    await ask();
    assert.equal(JSON.parse((await sign('--only', 'uki')).output).signatures.length, 0);
    assert.equal(JSON.parse((await sign('--only', 'loader')).output).signatures.length, 1);
  });

  test('refuses a bare kernel unless it is asked for', async (t) => {
    const { ask, sign } = await aBench(t);
    await ask({ what: 'kernel' });
    const { error, output } = await sign();
    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.match(error?.message ?? '', /bare kernel: signed, it starts with any initrd/);
    assert.equal(output, '');
    assert.equal((await sign('--sign-kernels')).status, 0);
  });

  test('finds with --against the kernel that is called a loader, and another program', async (t) => {
    const { ask, sign, store, bench } = await aBench(t);
    await ask({}, KERNEL);
    assert.equal((await sign('--against', store)).error?.code, 'CONFIG_INVALID');
    assert.equal((await sign('--against', store, '--sign-kernels')).status, 0);
    await ask();
    assert.match((await sign('--against', store)).shown, /the same in the store here/);
    bench.put('store/nix/store/loader.efi', aPe());
    const { error } = await sign('--against', store);
    assert.equal(error?.code, 'KEY_INVALID');
    assert.match(error?.message ?? '', /expected digest [0-9a-f]{64} of .*loader\.efi, got/);
    fs.rmSync(bench.path('store/nix/store/loader.efi'));
    assert.match((await sign('--against', store)).shown, /not to be checked here/);
  });

  test('takes a request of before, which names neither machine nor time', async (t) => {
    const { ask, sign, bench } = await aBench(t);
    const { machine, since, ...before } = JSON.parse(fs.readFileSync(await ask(), 'utf8'));
    assert.ok(machine && since);
    bench.put('request.json', JSON.stringify(before));
    assert.match((await sign()).shown, /a machine that does not say which, at an unknown time/);
  });
});

test('sign and verity sign write over no key, certificate or root hash', async (t) => {
  const { bench, key } = await aBench(t);
  const pair = ['--certificate', certificatePath, '--private-key', key];
  const file = bench.put('a.efi', LOADER);
  const hash = bench.put('usr.roothash', 'a'.repeat(64));
  for (const args of [
    ['sign', file, ...pair, '--output', key],
    ['verity', 'sign', hash, ...pair, '--output', key],
    ['verity', 'sign', hash, ...pair, '--document', hash],
  ]) {
    const { error } = await bench.run(args);
    assert.match(error?.message ?? '', /^--\w+: .* which would be lost$/);
  }
  assert.equal(fs.readFileSync(key, 'utf8'), privateKeyPem);
  assert.equal(fs.readFileSync(hash, 'utf8'), 'a'.repeat(64));
});

test('sign FILE refuses a bare kernel unless it is asked for, and leaves it as it is', async (t) => {
  const { bench, key } = await aBench(t);
  const file = bench.put('linux', KERNEL);
  const args = ['sign', file, '--certificate', certificatePath, '--private-key', key];
  assert.equal((await bench.run(args)).error?.code, 'CONFIG_INVALID');
  assert.deepEqual(bench.bytes('linux'), KERNEL);
  assert.equal((await bench.run([...args, '--sign-kernels'])).status, 0);
});
