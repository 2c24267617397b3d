/** Boots an ESP image under real firmware in QEMU and returns what the console said. Needs qemu-system-x86. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measuredMark, proofMark } from './initrd.ts';
import type { Parts } from './parts.ts';
import { attempt, environment, run } from './run.ts';

/** How the firmware starts. */
export type SecureBoot =
  /** No Secure Boot at all; firmware has no variables, or these. */
  | { readonly kind: 'off'; readonly variables?: string }
  /** Setup mode: systemd-boot enrols the keys it finds on the ESP and restarts the machine. `save` gets the variables. */
  | { readonly kind: 'enrol'; readonly save?: string }
  /** Enforcing from the start, with variables that an enrolment saved. `save` gets what becomes of them. */
  | { readonly kind: 'enforcing'; readonly variables: string; readonly save?: string };

export interface BootOptions {
  readonly parts: Parts;
  /** The ESP image; the guest writes to it. */
  readonly image: string;
  /** Of the disk with the image, in bytes: 512 if not given. */
  readonly sectorSize?: 512 | 4096;
  readonly secureBoot?: SecureBoot;
  /** Whether the machine has a TPM 2.0: a new one, or one with its state in this folder. Needs swtpm. */
  readonly tpm?: boolean | string;
  /** Images of more disks, which the guest may write to. */
  readonly disks?: readonly string[];
  /** Whether a restart starts the machine again, and does not end it. */
  readonly restarts?: boolean;
  /** MiB: 512 if not given. */
  readonly memory?: number;
  /** Seconds until the machine is switched off, whatever it does: 300 if not given. */
  readonly limit?: number;
}

/** What one machine said until it was off. */
export interface Boot {
  /** Everything on the serial console, without terminal control sequences. */
  readonly console: string;
  /** The proof line of the initrd, or undefined when it never ran. */
  readonly proof: Proof | undefined;
  /** What was measured, if there was a TPM. */
  readonly measured: Measured | undefined;
  /** Why the machine stopped. */
  readonly ended: 'power-off' | 'gave-up' | 'time-limit';
}

/** What a TPM and the firmware say was measured. */
export interface Measured {
  /** In the bank of SHA-256, in hexadecimal. */
  readonly pcr11: string;
  /** The event log of the firmware (TCG PC Client Platform Firmware Profile §Event Logging). */
  readonly log: Uint8Array;
}

/** The proof line, taken apart. */
export interface Proof {
  readonly line: string;
  readonly generation: string;
  /** Whether the running kernel saw Secure Boot on. */
  readonly secureBoot: boolean;
  readonly lockdown: string;
  /** What systemd-boot says it started. */
  readonly entry: string;
  readonly cmdline: string;
}

/**
 * What firmware or loader prints when there is nothing left that it may start, and systemd without a
 * disk. The last is the end of an exception: firmware then loops and keeps a core busy. So ends a
 * systemd-boot that was refused a Type #1 kernel.
 */
const givenUp =
  /UEFI Interactive Shell|No bootable option|Press any key to enter the Boot Manager|Timed out waiting for device|Find image based on IP/;

/**
 * An old one has no more than is needed, AES included: what is newer costs an emulator much. QEMU 7.2 gets
 * cmpxchg16b wrong, and newer kernels panic on it.
 */
const processor = 'Westmere,cx16=off';

/**
 * For the command line of every kernel: an emulated processor leaks nothing, and its cycles are dear. On
 * a busy machine its timer may be late at the very moment at which the kernel looks whether it has one.
 */
export const emulated = ['nokaslr', 'mitigations=off', 'no_timer_check'] as const;

/**
 * Boots the image and waits until the machine powers off, gives up or runs out of time. The machine
 * is emulated in software; no machine outlives the call.
 */
export async function bootImage(options: BootOptions): Promise<Boot> {
  const { parts, image, secureBoot = { kind: 'off' }, limit = 300 } = options;
  const { tpm = false, disks = [], sectorSize = 512, memory } = options;
  // an enrolment restarts the machine in the middle
  const restarts = options.restarts ?? secureBoot.kind === 'enrol';
  const folder = mkdtempSync(join(tmpdir(), 'espalier-vm-'));
  const variables = join(folder, 'vars.fd');
  const chip = tpm === false ? undefined : startTpm(folder, tpm === true ? folder : tpm);
  try {
    const given = secureBoot.kind === 'enrol' ? undefined : secureBoot.variables;
    copyFileSync(given ?? parts.ovmf.vars, variables);
    const args = [
      ...firmware(parts, variables, secureBoot),
      ...(restarts ? [] : ['-no-reboot']),
      ...firstDisk(image, sectorSize),
      ...disks.flatMap((path) => drive(path, 'format=raw,if=virtio')),
      ...(chip?.args ?? []),
    ];
    const { text, ended } = await runMachine(args, {
      ...{ limit, stopAt: givenUp },
      ...(memory === undefined ? {} : { memory }),
    });
    if (secureBoot.kind !== 'off' && secureBoot.save !== undefined) {
      copyFileSync(variables, secureBoot.save);
    }
    return { console: text, proof: findProof(text), measured: findMeasured(text), ended };
  } finally {
    chip?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function firmware(parts: Parts, variables: string, secureBoot: SecureBoot): readonly string[] {
  const secure = secureBoot.kind !== 'off';
  const code = secure ? parts.ovmf.codeSecure : parts.ovmf.code;
  return [
    ...(secure ? ['-machine', 'q35,smm=on'] : ['-machine', 'q35']),
    ...(secure ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...drive(code, 'if=pflash,format=raw,unit=0,readonly=on'),
    ...drive(variables, 'if=pflash,format=raw,unit=1'),
  ];
}

/** Starts a TPM that has its state in a folder of its own. It ends with the machine that it belongs to. */
function startTpm(
  folder: string,
  stateFolder: string,
): { readonly args: readonly string[]; readonly stop: () => void } {
  const [socket, pid] = [join(folder, 'tpm.sock'), join(folder, 'tpm.pid')];
  const state = [
    'socket',
    '--tpm2',
    '--tpmstate',
    `dir=${stateFolder}`,
    '--flags',
    'startup-clear',
  ];
  const control = ['--ctrl', `type=unixio,path=${socket}`, '--terminate'];
  // It goes into the background once it listens.
  run('swtpm', [...state, ...control, '--daemon', '--pid', `file=${pid}`]);
  return {
    args: [
      ...['-chardev', `socket,id=tpm,path=${socket}`, '-tpmdev', 'emulator,id=tpm0,chardev=tpm'],
      ...['-device', 'tpm-tis,tpmdev=tpm0'],
    ],
    // It has ended by itself, unless the machine never came to it.
    stop: () => {
      if (existsSync(pid)) attempt('kill', [readFileSync(pid, 'utf8').trim()]);
    },
  };
}

function firstDisk(image: string, sectorSize: number): readonly string[] {
  const sizes = `logical_block_size=${sectorSize},physical_block_size=${sectorSize}`;
  const device = ['-device', `virtio-blk-pci,drive=first,${sizes}`];
  return [...drive(image, 'format=raw,if=none,id=first'), ...device];
}

/** Returns the arguments for one drive; QEMU wants a comma in a path doubled. */
export function drive(path: string, settings: string): readonly string[] {
  return ['-drive', `file=${path.replaceAll(',', ',,')},${settings}`];
}

interface MachineLimits {
  /** Seconds. */
  readonly limit: number;
  readonly stopAt?: RegExp;
  /** MiB. */
  readonly memory?: number;
}

/** Runs one machine with the serial port as its console and returns what it printed. */
export async function runMachine(
  args: readonly string[],
  { limit, stopAt, memory = 512 }: MachineLimits,
): Promise<{ text: string; ended: Boot['ended'] }> {
  const base = ['-accel', 'tcg,thread=multi', '-cpu', processor, '-m', `${memory}`];
  // no drives, network or screen that the firmware would look at first
  const rest = ['-nodefaults', '-display', 'none', '-serial', 'stdio', ...args];
  // the kernel kills the machine with its parent, however that ends
  const together = ['--pdeathsig', 'KILL', 'qemu-system-x86_64'];
  const machine = spawn('setpriv', [...together, ...base, ...rest], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
  });
  const kill = (): void => void machine.kill('SIGKILL');
  let ended: Boot['ended'] = 'power-off';
  let said = '';
  const timer = setTimeout(() => {
    ended = 'time-limit';
    kill();
  }, limit * 1000);
  const listen = (chunk: string): void => {
    said += chunk;
    if (ended === 'power-off' && stopAt?.test(said.slice(-4096)) === true) {
      ended = 'gave-up';
      kill();
    }
  };
  for (const stream of [machine.stdout, machine.stderr]) {
    stream.setEncoding('utf8').on('data', listen);
  }
  try {
    await new Promise<void>((done, fail) => {
      machine.once('error', fail);
      machine.once('close', () => done());
    });
  } finally {
    clearTimeout(timer);
  }
  return { text: stripTerminal(said), ended };
}

/** Returns console text without escape sequences, carriage returns and other control characters. */
function stripTerminal(text: string): string {
  const control = String.fromCharCode(0x1b);
  const sequences = new RegExp(`${control}(\\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|.)`, 'g');
  const printable = [...text.replace(sequences, '')].filter((c) => c === '\n' || c >= ' ');
  return printable.join('');
}

function findMeasured(text: string): Measured | undefined {
  const match = new RegExp(`${measuredMark} pcr11=(\\S+) log=(\\S+)`).exec(text);
  const [, value, log] = match ?? [];
  if (value === undefined || log === undefined) return undefined;
  return { pcr11: value.toLowerCase(), log: Buffer.from(log, 'base64') };
}

/** Returns the last proof line in the console text. */
function findProof(text: string): Proof | undefined {
  const line = text
    .split('\n')
    .findLast((candidate) => candidate.includes(`${proofMark} `))
    ?.trim();
  const match =
    line === undefined
      ? null
      : /generation=(\S+) secureboot=(\S*) lockdown=(\S*) entry=(\S*) loader=\S* cmdline=(.*)$/.exec(
          line,
        );
  if (line === undefined || match === null) return undefined;
  const [, generation = '', secure, lockdown = '', entry = '', cmdline = ''] = match;
  return { line, generation, secureBoot: secure === '1', lockdown, entry, cmdline };
}
