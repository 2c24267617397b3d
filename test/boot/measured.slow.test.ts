/** What a real firmware, systemd-boot and stub measure into a TPM is what was predicted. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { formatPcrlock, lockPe } from '../../src/measure/pcrlock.ts';
import { espalier } from '../lab/espalier.ts';
import { hasMeasuring, measuring } from '../lab/measuring.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { peerStub, whyNoStub } from '../lzbt/peer.ts';
import { POLICY_KEY } from '../measure/vectors.ts';
import {
  assertBooted,
  bootDirectory,
  type InstallOptions,
  install,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip =
  whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'swtpm']) ||
  (!hasMeasuring() && 'SKIPPED, missing parts: node test/lab/fetch.ts');

/** Digests in hexadecimal by the name of their algorithm. */
type Digests = Readonly<Record<string, string>>;

type BootedOptions = Pick<
  InstallOptions,
  'systemd' | 'format' | 'stub' | 'policyKey' | 'generation'
>;

interface Listed {
  readonly digests: readonly { readonly hashAlg: string; readonly digest: string }[];
}

interface Event extends Listed {
  readonly pcr: number;
  readonly content: { readonly event_type: string };
}

const byAlgorithm = ({ digests }: Listed): Digests =>
  Object.fromEntries(digests.map(({ hashAlg, digest }) => [hashAlg, digest]));

/** The digests in the first record of a file's text. */
const recorded = (text: string): Digests => byAlgorithm(JSON.parse(text).records[0]);

suite('with a TPM', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-measured-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));

  type Booted = Awaited<ReturnType<typeof boot>>;

  /** Installs, boots, and returns the programs that were started and those that were recorded. */
  async function boot(name: string, { generation = 5, ...options }: BootedOptions) {
    const [esp, pcrlock] = [join(folder, name), join(folder, `${name}-pcrlock.d`)];
    install({ esp, pcrlock, world: world(), generation, ...options });
    const { proof, measured, ...booted } = await bootDirectory(esp, { kind: 'off' }, { tpm: true });
    assertBooted({ proof, measured, ...booted }, `${generation}`);
    assert.ok(proof && measured);
    const files = ['630-bootloader.pcrlock.d/current', `635-lanzaboote.pcrlock.d/${generation}`];
    return {
      generation,
      started: programs(measured.log),
      extended: (pcr: number) => eventsIn(measured.log, pcr).map(byAlgorithm),
      expected: files.map((file) =>
        recorded(readFileSync(join(pcrlock, `${file}.pcrlock`), 'utf8')),
      ),
      pcr11: measured.pcr11,
      esp,
    };
  }

  /** The programs that the firmware measured into PCR 4, in order. */
  function programs(log: Uint8Array): readonly Digests[] {
    return eventsIn(log, 4)
      .filter(({ content }) => content.event_type === 'EV_EFI_BOOT_SERVICES_APPLICATION')
      .map(byAlgorithm);
  }

  /** The extensions of a register, in order: systemd-pcrlock reads the log. */
  function eventsIn(log: Uint8Array, register: number): readonly Event[] {
    const path = join(folder, 'log');
    writeFileSync(path, log);
    const said = measuring('systemd-pcrlock', ['cel', '--json=short'], {
      SYSTEMD_MEASURE_LOG_FIRMWARE: path,
      SYSTEMD_MEASURE_LOG_USERSPACE: join(folder, 'none'),
    });
    const events: readonly Event[] = JSON.parse(said);
    return events.filter(({ pcr }) => pcr === register);
  }

  /** Asserts that a boot extended every register as `measure` predicts, and loader and image as recorded. */
  function assertPredicted({ generation, started, expected, extended, pcr11, esp }: Booted) {
    assert.deepEqual(started, expected);
    const args = ['--esp', esp, '--allow-directory', '--secure-boot', 'off', '--phase', ':'];
    const { stdout, stderr } = espalier(['measure', `${generation}`, '--json', ...args]);
    const [predicted] = JSON.parse(stdout || `{"boots":"${stderr}"}`).boots;
    assert.equal(pcr11, predicted.values.sha256[0].hash);
    const events: readonly { pcr: number; digests: Digests }[] = predicted.events;
    for (const register of [11, 12]) {
      const of = events.filter(({ pcr }) => pcr === register).map(({ digests }) => digests);
      const found = extended(register);
      const banks = Object.keys(found[0] ?? {});
      const only = (digests: Digests) => banks.map((bank) => [bank, digests[bank]]);
      assert.deepEqual(found.map(only), of.map(only), `PCR ${register}`);
    }
  }

  test('of a later part of a shared image, every register is extended as measure predicts, and loader and image as recorded', {
    skip,
  }, async () => {
    const booted = {
      systemd: '262',
      format: 'shared',
      policyKey: POLICY_KEY,
      generation: 2,
    } as const;
    assertPredicted(await boot('shared', booted));
  });

  test('of a thin image on the stub of lanzaboote as well', {
    skip: skip || whyNoStub(),
  }, async () => {
    const stub = peerStub() ?? '';
    assertPredicted(await boot('thin', { systemd: '257', format: 'thin', stub }));
  });

  test('of a type1 entry, the kernel is measured as it was recorded', { skip }, async () => {
    const { started, expected } = await boot('type1', { systemd: '262', format: 'type1' });
    assert.deepEqual(started, expected);
  });

  test('with a stub of before 258, the firmware measures the kernel inside as well', {
    skip,
  }, async () => {
    const { started, expected } = await boot('old-stub', { systemd: '257' });
    const kernel = lockPe(bytesSource(readFileSync(theParts().kernel)), createHash);
    assert.deepEqual(started, [...expected, recorded(formatPcrlock(kernel))]);
  });
});
