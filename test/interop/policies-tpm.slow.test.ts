/** systemd-creds and a TPM open a secret for what was installed, in the phases that were signed, and for nothing else. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { findSection, parsePe, readSection } from '../../src/pe/pe.ts';
import { aMachine, type Machine } from '../command/a-machine.ts';
import { hasPolicyTools, policyTools } from '../lab/policy-tools.ts';
import { attempt, run } from '../lab/run.ts';
import { startTpm, type Tpm } from '../lab/swtpm.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { POLICY_KEY, POLICY_PUBLIC_KEY } from '../measure/vectors.ts';

const missing = missingTools(['swtpm']);
const skip =
  missing.length > 0
    ? `SKIPPED, missing tools: ${installCommand(missing)}`
    : !hasPolicyTools() && 'SKIPPED, missing parts: node test/lab/fetch.ts';

const creds = join(policyTools, 'systemd-creds');
const SECRET = 'the secret';

interface Extension {
  readonly pcr: number;
  readonly digests: { readonly sha256: string };
}

/** What PCR 11 is extended by when the entry of a generation boots, and the policies that its image carries. */
async function bootOf(machine: Machine, generation: string) {
  const ran = await machine.run('measure', generation, '--json', '--phase', ':');
  const [boot] = JSON.parse(ran.output).boots;
  const source = bytesSource(readFileSync(boot.image));
  const section = findSection(parsePe(source), '.pcrsig');
  assert.ok(section);
  const signature = join(machine.root, `${generation}.json`);
  writeFileSync(signature, readSection(source, section, 1 << 20));
  const events: readonly Extension[] = boot.events;
  return { signature, extensions: events.filter(({ pcr }) => pcr === 11) };
}

/** A machine with a TPM, and a secret that is bound to the key for policies. */
async function aSealedMachine(t: TestContext) {
  const machine = aMachine(t, { generations: [{ tag: 'a' }, { tag: 'b' }] });
  const key = ['--pcr-private-key', POLICY_KEY, '--allow-insecure-key'];
  const ran = await machine.run('install', ...key, '--pcr-phases', 'enter-initrd');
  assert.equal(ran.error, undefined);
  const folder = join(machine.root, 'tpm');
  mkdirSync(folder);
  const tpm = await startTpm(folder);
  t.after(() => tpm[Symbol.asyncDispose]());
  const [plain, sealed] = [join(folder, 'plain'), join(folder, 'sealed')];
  writeFileSync(plain, SECRET);
  run(creds, [
    ...['encrypt', '--name=x', '--with-key=tpm2-with-public-key', `--tpm2-device=${tpm.device}`],
    ...[`--tpm2-public-key=${POLICY_PUBLIC_KEY}`, '--tpm2-public-key-pcrs=11', '--tpm2-pcrs='],
    ...[plain, sealed],
  ]);
  const opens = (signature: string) => {
    const args = ['decrypt', '--name=x', `--tpm2-device=${tpm.device}`];
    const { status, stdout } = attempt(creds, [
      ...args,
      `--tpm2-signature=${signature}`,
      sealed,
      '-',
    ]);
    return status === 0 && stdout === SECRET;
  };
  return { machine, tpm, opens };
}

async function extend(tpm: Tpm, extensions: readonly Extension[]): Promise<void> {
  for (const { pcr, digests } of extensions)
    await tpm.extend(pcr, Buffer.from(digests.sha256, 'hex'));
}

/** What systemd-pcrphase extends PCR 11 by. */
async function phase(tpm: Tpm, word: string): Promise<void> {
  const { createHash } = await import('node:crypto');
  await tpm.extend(11, createHash('sha256').update(word).digest());
}

test('a secret opens for the image that boots, in the phases of its policy, and by no other policy', {
  skip,
}, async (t) => {
  const { machine, tpm, opens } = await aSealedMachine(t);
  const [booted, other] = [await bootOf(machine, '1'), await bootOf(machine, '2')];
  assert.equal(opens(booted.signature), false, 'before anything was measured');
  await extend(tpm, booted.extensions);
  assert.equal(opens(booted.signature), false, 'before the initrd');
  await phase(tpm, 'enter-initrd');
  assert.equal(opens(other.signature), false, 'by the policy of another image');
  assert.equal(opens(booted.signature), true);
  await phase(tpm, 'leave-initrd');
  assert.equal(opens(booted.signature), false, 'after the initrd');
});
