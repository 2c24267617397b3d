/** A TPM of its own for a test: swtpm behind a socket, extended by the commands of the specification. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A TPM that runs. */
export interface Tpm extends AsyncDisposable {
  /** How systemd's programs are told of it. */
  readonly device: string;
  /** Extends a register in the bank of SHA-256 (TPM 2.0 Part 3 §TPM2_PCR_Extend). */
  extend(pcr: number, digest: Uint8Array): Promise<void>;
}

/** Starts a TPM whose state is in a folder. Its registers begin as after a restart. */
export async function startTpm(folder: string): Promise<Tpm> {
  const [state, socket] = [join(folder, 'state'), join(folder, 'socket')];
  mkdirSync(state, { recursive: true });
  const child = spawn('swtpm', [
    ...['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear'],
    // The library of TSS expects the control channel beside the socket, under this name.
    ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
  ]);
  while (!existsSync(socket) || !existsSync(`${socket}.ctrl`)) {
    if (child.exitCode !== null) throw new Error(`swtpm ended with ${child.exitCode}`);
    await sleep(20);
  }
  return {
    device: `swtpm:path=${socket}`,
    extend: (pcr, digest) => command(socket, extendCommand(pcr, digest)),
    [Symbol.asyncDispose]: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await over;
}

/** TPM_ST_SESSIONS, TPM_CC_PCR_Extend, an empty password for the register, and one digest. */
function extendCommand(pcr: number, digest: Uint8Array): Buffer {
  const body = Buffer.concat([
    Buffer.from(`00000182${pcr.toString(16).padStart(8, '0')}00000009400000090000010000`, 'hex'),
    Buffer.from('00000001000b', 'hex'),
    digest,
  ]);
  const header = Buffer.from('800200000000', 'hex');
  header.writeUInt32BE(header.length + body.length, 2);
  return Buffer.concat([header, body]);
}

/** Sends a command, and waits for its answer: the header, and the code of the result. */
function command(path: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(bytes));
    socket.once('error', reject);
    socket.once('data', (answer: Buffer) => {
      socket.end();
      const code = answer.readUInt32BE(6);
      if (code === 0) socket.once('close', () => resolve());
      else reject(new Error(`TPM: expected success, got 0x${code.toString(16)}`));
    });
  });
}
