/** How long each form in which the program is shipped takes to start, and how large it is. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { bundleLauncher } from '../bundle.ts';
import { executable } from '../executable.ts';
import { espalier } from './installer.ts';
import { aMachine } from './machine.ts';
import { type Command, run } from './process.ts';
import { type Contender, emptyNode, type Make, site } from './workload.ts';

/** One file and the Node of the machine, without a compile cache. */
const FILE = 'espalier.mjs';

/** `status` reads settings, profiles and an ESP, and so most of what every verb loads. */
const starts: Make = async (workshop) => {
  const root = join(workshop.work, 'n');
  const machine = aMachine(join(root, 'machine'), { generations: 1, kernels: 1, initrds: 1 });
  const { esp, cache } = site(root, 'espalier');
  run(espalier(workshop.bundle, 'type1').install(machine, { esp, cache }));
  const file = join(root, FILE);
  fs.copyFileSync(workshop.bundle, file);
  const launcher = await bundleLauncher(file);
  const alone = await executable(process.arch === 'arm64' ? 'arm64' : 'x64', join(root, 'alone'));
  const verb = ['status', '--esp', esp, '--allow-directory', '--profiles', machine.profiles];
  const args = [...verb, '--format', 'type1', '--systemd', machine.systemd, '--cache-dir', cache];
  const asked = [...args, '--booted', `${machine.profiles}/system`, '--allow-unsigned'];
  const started = (name: string, words: readonly string[], output?: string): Contender => {
    const [program = '', ...before] = words;
    const command: Command = { program, args: [...before, ...asked] };
    return { name, prepare: () => {}, commands: [command], ...(output && { output }) };
  };
  return {
    id: 'n',
    title: 'start of status, one generation',
    rounds: 41,
    target: { atMost: 1, of: [FILE] },
    payload: machine.payload,
    needsPayload: false,
    contenders: [
      started('one executable', [alone], alone),
      started(FILE, [process.execPath, file], file),
      started('launch.mjs, its cache warm', [process.execPath, launcher]),
      emptyNode(workshop),
    ],
  };
};

/** The workloads by their letters. */
export const START_WORKLOADS: Readonly<Record<string, Make>> = { n: starts };
