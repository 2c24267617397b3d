/** Has the hook of a configuration install a machine of the tests, with the program itself. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type aMachine, MAIN } from '../command/a-machine.ts';
import { attempt, type Ran } from '../lab/run.ts';
import { espalierIs, type System, systemOf, type Workplace } from './an-evaluation.ts';

type Machine = ReturnType<typeof aMachine>;

/** Returns what a configuration makes of a machine that is installed without keys. */
export function systemOn(
  machine: Machine,
  settings: string,
  beside: string,
  workplace: Workplace,
): System {
  const program = join(machine.root, 'program');
  mkdirSync(join(program, 'bin'), { recursive: true });
  const script = `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`;
  writeFileSync(join(program, 'bin/espalier'), script, { mode: 0o755 });
  const here = `
    allowUnsigned = true;
    extraSettings = {
      allow-directory = true;
      profiles = "${machine.profiles}";
      systemd = "${machine.systemd}";
      booted = "${machine.root}/booted";
      cache-dir = "${machine.root}/cache";
    };`;
  const esp = `boot.loader.efi.efiSysMountPoint = "${machine.esp}";`;
  return systemOf(espalierIs(here + settings, esp + beside, program), workplace);
}

/** Calls the hook as NixOS does, for one generation of the machine. */
export function installs(machine: Machine, hook: string, generation: number): Ran {
  const env = { ...machine.environment(), NODE_DISABLE_COMPILE_CACHE: '1' };
  return attempt('sh', [hook, machine.toplevel(generation)], { env });
}
