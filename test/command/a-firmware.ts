/** Firmware that takes signed writes of its key variables as UEFI §8.2.2 says, with openssl for its cryptography. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import {
  bytesToSign,
  parseAuthenticatedWrite,
  type WriteMode,
} from '../../src/secureboot/authenticated-variable.ts';
import { KEY_VARIABLES, type KeyVariable } from '../../src/secureboot/key-variable.ts';
import { parseSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { run } from '../lab/run.ts';
import type { Machine } from './a-machine.ts';

/** Firmware of a machine, whose variables are files as Linux shows them. */
export class Firmware {
  readonly #machine: Machine;
  readonly #times = new Map<KeyVariable, number>();
  #isEnforcing = false;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#tell();
  }

  /** Takes a write, or throws: who may sign it, and whether it is late enough, depends on what is there. */
  write(variable: KeyVariable, bytes: Uint8Array, mode: WriteMode = 'replace'): void {
    const { time, signature, content } = parseAuthenticatedWrite(bytes);
    if (this.#isEnforcing) {
      const signed = bytesToSign(variable, time, content, mode);
      this.#verify(signed, signature, this.holds(KEY_VARIABLES[variable].signer));
      const isLate = time > (this.#times.get(variable) ?? 0);
      if (mode === 'replace' && !isLate) throw new Error(`${variable}: the write is too old`);
    }
    const before = mode === 'append' ? this.holds(variable) : new Uint8Array();
    const value = Buffer.concat([Buffer.alloc(4), before, content]);
    fs.writeFileSync(this.#path(variable), value);
    this.#times.set(variable, Math.max(time, this.#times.get(variable) ?? 0));
    // With a platform key, Setup Mode ends.
    if (variable === 'PK') this.#isEnforcing = true;
    this.#tell();
  }

  /** The signature lists in a variable. */
  holds(variable: KeyVariable): Uint8Array {
    const path = this.#path(variable);
    return fs.existsSync(path) ? fs.readFileSync(path).subarray(4) : new Uint8Array();
  }

  #path(variable: KeyVariable): string {
    return join(this.#machine.efivars, `${variable}-${KEY_VARIABLES[variable].vendor}`);
  }

  #tell(): void {
    const enforcing = Number(this.#isEnforcing);
    this.#machine.variable('SetupMode', 'global', Uint8Array.of(1 - enforcing));
    this.#machine.variable('SecureBoot', 'global', Uint8Array.of(enforcing));
  }

  #verify(signed: Uint8Array, signature: Uint8Array, trusted: Uint8Array): void {
    const folder = fs.mkdtempSync(join(this.#machine.root, 'firmware-'));
    const put = (name: string, bytes: Uint8Array | string): string => {
      fs.writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const armour = (der: Uint8Array) =>
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
    const certificates = parseSignatureLists(trusted).filter(({ type }) => type === X509);
    run('openssl', [
      ...[
        'smime',
        '-verify',
        '-binary',
        '-inform',
        'DER',
        '-in',
        put('p7', inContentInfo(signature)),
      ],
      ...['-content', put('signed', signed), '-out', join(folder, 'out')],
      ...['-CAfile', put('trusted', certificates.map(({ data }) => armour(data)).join(''))],
      ...['-purpose', 'any', '-no_check_time'],
    ]);
  }
}

/** Wraps a SignedData as openssl wants it and firmware does not. */
function inContentInfo(signedData: Uint8Array): Uint8Array {
  const wrap = (head: string, bytes: Uint8Array) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return Buffer.concat([Buffer.from(head, 'hex'), length, bytes]);
  };
  const type = Buffer.from('06092a864886f70d010702', 'hex');
  return wrap('3082', Buffer.concat([type, wrap('a082', signedData)]));
}
