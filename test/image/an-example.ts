/** The descriptions in docs/images.md, each in a folder with all that it names. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bytesSource } from '../../src/byte-source.ts';
import { readPartitionTable } from '../../src/gpt/partition-table.ts';
import { aKernel, aMachine, type Machine } from '../command/a-machine.ts';
import { initrdOf, VERITY_MODULE } from '../initrd/an-initrd.ts';
import { run } from '../lab/run.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';

/** The page that has them. */
export const page = fs.readFileSync(resolve(import.meta.dirname, '../../docs/images.md'), 'utf8');

/** A folder with an example of the page and all that it names. */
export interface Example {
  readonly machine: Machine;
  readonly text: string;
  readonly at: (path: string) => string;
  readonly put: (path: string, content: Uint8Array | string) => void;
}

/** Makes the folder of one example. */
export function anExample(t: Parameters<typeof aMachine>[0], name: string): Example {
  const machine = aMachine(t);
  machine.brings('257.1');
  machine.generations([{}, {}]);
  const at = (path: string) => join(machine.root, path);
  const put = (path: string, content: Uint8Array | string) => {
    fs.mkdirSync(dirname(at(path)), { recursive: true });
    fs.writeFileSync(at(path), content);
  };
  fs.symlinkSync(machine.profiles, at('profiles'));
  put('linux', aKernel());
  put('initrd', initrdOf('usr/sbin/veritysetup', VERITY_MODULE));
  put('motd', 'hello\n');
  put('closure/store-paths', `${machine.toplevel(1)}\n${machine.toplevel(2)}\n`);
  put('closure/registration', 'paths\n');
  put('keys/db.pem', fs.readFileSync(certificatePath));
  put('keys/db.key', fs.readFileSync(privateKeyPath));
  fs.chmodSync(at('keys/db.key'), 0o600);
  put('rootfs/etc/os-release', 'ID=amzn\n');
  put('rootfs/usr/large', new Uint8Array(20_000).fill(7));
  run('tar', ['-C', at('rootfs'), '-cf', at('rootfs.tar'), '.']);
  const text = new RegExp(`\`\`\`toml\\n(# ${name}\\n[^]*?)\`\`\``).exec(page)?.[1];
  assert.ok(text !== undefined, `docs/images.md has ${name}`);
  put(name, text);
  return { machine, text, at, put };
}

/** A partition, as `image build --json` tells it. */
export interface MadeRow {
  readonly type: string;
  readonly uuid: string;
  readonly roothash: string | null;
}

/** Builds a description, and returns the partitions. */
export async function buildExample(
  { machine, at }: Example,
  file: string,
  more: { readonly args?: readonly string[]; readonly status?: number } = {},
): Promise<readonly MadeRow[]> {
  const { args = [], status = 0 } = more;
  const ran = await machine.runWith({}, 'image', 'build', at(file), '--json', ...args);
  assert.equal(ran.error, undefined, `${ran.error?.message} ${ran.error?.hint}`);
  assert.equal(ran.status, status);
  return JSON.parse(ran.output);
}

/** Writes a partition of a raw image into a file of its own, and returns its path. */
export function extracted(image: string, index: number): string {
  const disk = fs.readFileSync(image);
  const { offset = 0, size = 0 } = tableOf(image)[index] ?? {};
  const path = `${image}.${index}`;
  fs.writeFileSync(path, disk.subarray(offset, offset + size));
  return path;
}

/** Returns the partitions of a raw image. */
export function tableOf(image: string) {
  return readPartitionTable(bytesSource(fs.readFileSync(image)), image).partitions;
}
