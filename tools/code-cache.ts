/**
 * What V8 makes of the program's text, kept for those who run it: parsing and compiling anew what
 * every run needs takes longer than everything else that a run with nothing to do does.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import { aMachine, type Machine } from './bench/machine.ts';

/** The program as a script whose value is this function. */
type Program = (
  require: typeof process.getBuiltinModule,
  file: string,
  url: string,
) => Promise<void>;

/**
 * Returns V8's code cache for a text, with every function that the commonest runs have called: a
 * first install, one with nothing to do, both with and without signatures, and `uki build`. V8 itself
 * refuses it when text, Node or flags are others.
 * @throws {Error} when one of those runs fails
 */
export function codeCache(text: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-code-cache-'));
  try {
    writeFileSync(join(folder, 'program.js'), text);
    const { status, stderr } = spawnSync(process.execPath, [import.meta.filename, folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      env: {},
    });
    if (status !== 0) throw new Error(`no code cache: ${stderr}`);
    return readFileSync(join(folder, 'program.cache'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function commonestRuns(machine: Machine, folder: string): string[][] {
  const { profiles, systemd, certificate, privateKey, kernel, initrd, stub } = machine;
  const config = join(folder, 'espalier.toml');
  writeFileSync(config, '');
  for (const format of ['type1', 'uki']) mkdirSync(join(folder, format));
  const install = (format: string, ...signing: string[]) => [
    ...['install', '--config', config, '--esp', join(folder, format), '--allow-directory'],
    ...['--profiles', profiles, '--systemd', systemd, '--booted', `${profiles}/system`],
    ...['--cache-dir', join(folder, 'cache'), '--format', format, ...signing],
  ];
  const unsigned = install('type1', '--allow-unsigned');
  const signed = install('uki', '--certificate', certificate, '--private-key', privateKey);
  const image = [
    ...['uki', 'build', '--linux', kernel, '--initrd', initrd, '--stub', stub],
    ...['--cmdline', 'quiet', '--uname', '6.12.0', '--os-release', 'ID=nixos\n'],
    ...['--secureboot-certificate', certificate, '--secureboot-private-key', privateKey],
    ...['--output', join(folder, 'image.efi')],
  ];
  return [unsigned, unsigned, signed, signed, image];
}

/** Runs the program in this process, and writes what V8 then knows of it. */
async function learn(folder: string): Promise<void> {
  const filename = join(folder, 'program.js');
  const script = new Script(readFileSync(filename, 'latin1'), { filename });
  const program: Program = script.runInThisContext();
  const shape = { generations: 2, kernels: 1, initrds: 2, initrdSize: 4096 };
  for (const args of commonestRuns(aMachine(join(folder, 'machine'), shape), folder)) {
    process.argv = [process.execPath, filename, ...args];
    await program(process.getBuiltinModule, filename, pathToFileURL(filename).href);
    if (process.exitCode !== 0) throw new Error(`${args[0]} ended with ${process.exitCode}`);
  }
  writeFileSync(join(folder, 'program.cache'), script.createCachedData());
}

if (import.meta.main) await learn(process.argv[2] ?? '');
