/** Lanzaboote's own tool and stub, on a machine where somebody has them: `LZBT` and `LZBT_STUB` name the files. */
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { aSystemdBoot } from '../command/a-machine.ts';
import type { GenerationShape } from '../generation/a-generation.ts';
import { measuringCommand } from '../lab/measuring.ts';
import { attempt, type Ran } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { anLzbtMachine, type LzbtMachine } from './a-lzbt.ts';

const { LZBT, LZBT_STUB } = process.env;

/** Why lanzaboote's tool cannot be run here, or false when it can. It has objcopy and sbsign do its work. */
export function whyNoPeer(): string | false {
  if (!LZBT) return 'SKIPPED: LZBT=FILE names lanzaboote’s own lzbt-systemd';
  const missing = missingTools(['binutils', 'sbsigntool']);
  return missing.length > 0 && `SKIPPED, missing tools: ${missing}`;
}

/** Lanzaboote's tool, where `whyNoPeer` has nothing to say. */
export function peerProgram(): string {
  return LZBT ?? '';
}

/** Why there is no stub of lanzaboote here, or false when there is. */
export function whyNoStub(): string | false {
  return !LZBT_STUB && 'SKIPPED: LZBT_STUB=FILE names the stub of lanzaboote';
}

/** The stub of lanzaboote, if there is one. */
export function peerStub(): string | undefined {
  return LZBT_STUB || undefined;
}

/** Has lanzaboote's tool install all generations of a machine, unless it is told otherwise. */
export function peerRuns(lzbt: LzbtMachine, ...more: readonly string[]): Ran {
  const { machine, options, links, environment } = lzbt;
  const limit = more.includes('--configuration-limit') ? [] : ['--configuration-limit', '0'];
  const env = { ...environment, PATH: `${machine.root}:${process.env['PATH']}` };
  const args = ['install', ...options, ...limit, ...more, machine.esp, ...links()];
  return attempt(peerProgram(), args, { env });
}

/** The same, and it has to succeed. */
export function peerInstalls(lzbt: LzbtMachine, ...more: readonly string[]): void {
  const { status, stderr } = peerRuns(lzbt, ...more);
  assert.equal(status, 0, stderr);
}

/** Lanzaboote reads the version of a boot loader from its os-release. */
function aBootLoader(version: string): Uint8Array {
  const text = `ID=systemd-boot\nVERSION="${version}"\n`;
  return aSystemdBoot(version, { name: '.osrel', bytes: new TextEncoder().encode(text) });
}

/** Returns a machine with lanzaboote's stub where there is one: any program will do. */
export function aMachineForBoth(
  t: TestContext,
  generations: readonly GenerationShape[],
  version = '257.9',
): LzbtMachine {
  const lzbt = anLzbtMachine(t, generations);
  const { root, systemd } = lzbt.machine;
  writeFileSync(join(systemd, 'lib/systemd/boot/efi/systemd-bootx64.efi'), aBootLoader(version));
  const stub = peerStub();
  if (stub) copyFileSync(stub, join(root, 'stub.efi'));
  return lzbt;
}

/** Puts systemd-pcrlock where lanzaboote's tool finds it: there is none on this machine. */
export function placePcrlock({ machine }: LzbtMachine): void {
  const words = measuringCommand('systemd-pcrlock').map((word) => `'${word}'`);
  const script = `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`;
  writeFileSync(join(machine.root, 'systemd-pcrlock'), script, { mode: 0o755 });
}
