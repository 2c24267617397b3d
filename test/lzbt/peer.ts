/** Lanzaboote's own tool and stub, on a machine where somebody has them: `LZBT` and `LZBT_STUB` name the files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measuringCommand } from '../lab/measuring.ts';
import { run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import type { LzbtMachine } from './a-lzbt.ts';

const { LZBT, LZBT_STUB } = process.env;

/** Why lanzaboote's tool cannot be run here, or false when it can. It has objcopy and sbsign do its work. */
export function whyNoPeer(): string | false {
  if (!LZBT) return 'SKIPPED: LZBT=FILE names lanzaboote’s own lzbt-systemd';
  const missing = missingTools(['binutils', 'sbsigntool']);
  return missing.length > 0 && `SKIPPED, missing tools: ${missing}`;
}

/** The stub of lanzaboote, if there is one. */
export function peerStub(): string | undefined {
  return LZBT_STUB || undefined;
}

/** Has lanzaboote's tool install all generations of a machine. @throws {Error} when it fails */
export function peerInstalls(lzbt: LzbtMachine, ...more: readonly string[]): void {
  const { machine, options, links, environment } = lzbt;
  const install = ['-q', 'install', ...options, '--configuration-limit', '0', ...more];
  const env = { ...environment, PATH: `${machine.root}:${process.env['PATH']}` };
  run(LZBT ?? '', [...install, machine.esp, ...links()], { env });
}

/** Puts systemd-pcrlock where lanzaboote's tool finds it: there is none on this machine. */
export function placePcrlock({ machine }: LzbtMachine): void {
  const words = measuringCommand('systemd-pcrlock').map((word) => `'${word}'`);
  const script = `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`;
  writeFileSync(join(machine.root, 'systemd-pcrlock'), script, { mode: 0o755 });
}
