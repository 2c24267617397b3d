/** A machine to install from: a store with kernels and initrds of real sizes, and profiles that lead to them. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { roundUp } from '../../src/pe/image-layout.ts';
import { aProfiles, type GenerationShape } from '../../test/generation/a-generation.ts';
import { type ASection, aPe, OPTIONAL_HEADER } from '../../test/pe/a-pe.ts';
import { MIB } from './statistics.ts';

/** How many of everything; sizes in bytes. Generations share kernels and initrds in turn. */
export interface MachineShape {
  readonly generations: number;
  readonly kernels: number;
  readonly initrds: number;
  readonly initrdSize?: number;
  /** One more generation that is hidden at first: with a kernel and an initrd of its own, or known ones. */
  readonly withAnother?: 'own' | 'known';
}

/** A machine. All paths are absolute. */
export interface Machine {
  readonly profiles: string;
  /** Holds `lib/systemd/boot/efi`, as `--systemd` wants it. */
  readonly systemd: string;
  readonly stub: string;
  readonly loaderConf: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** Bytes of all kernels and initrds. */
  readonly payload: number;
  /** Links of the generations that show, the oldest first. */
  links(): string[];
  /** Kernel and initrd of the first generation. */
  readonly kernel: string;
  readonly initrd: string;
  /** Shows all generations or, without `another`, those of the beginning. */
  show(another: boolean): void;
}

export const KERNEL_SIZE = 12 * MIB;
const INITRD_SIZE = 32 * MIB;

/** Makes a machine in a directory that does not exist yet. */
export function aMachine(root: string, shape: MachineShape): Machine {
  const count = shape.generations + (shape.withAnother ? 1 : 0);
  const all = Array.from({ length: count }, (_, index) => generation(index, shape));
  const profiles = aProfiles(root, all);
  const link = (number: number) => join(profiles, `system-${number}-link`);
  const payloads = new Set<string>();
  for (let number = 1; number <= count; number++) {
    for (const name of ['kernel', 'initrd'])
      payloads.add(fs.realpathSync(join(link(number), name)));
  }
  for (const path of payloads) inflate(path, shape.initrdSize ?? INITRD_SIZE);
  let shown = count;
  const show = (another: boolean): void => {
    fs.rmSync(link(count), { force: true });
    shown = another ? count : shape.generations;
    aProfiles(root, all.slice(0, shown));
  };
  if (shape.withAnother) show(false);
  return {
    profiles,
    ...aSystemd(join(root, 'systemd')),
    ...ownKeys(),
    payload: [...payloads].reduce((sum, path) => sum + fs.statSync(path).size, 0),
    links: () => Array.from({ length: shown }, (_, index) => link(index + 1)),
    kernel: fs.realpathSync(join(link(1), 'kernel')),
    initrd: fs.realpathSync(join(link(1), 'initrd')),
    show,
  };
}

function generation(index: number, { generations, kernels, initrds, withAnother }: MachineShape) {
  const isAnother = index >= generations && withAnother === 'own';
  const shape: GenerationShape = {
    version: `6.12.${isAnother ? kernels : index % kernels}`,
    initrd: `initrd ${isAnother ? initrds : index % initrds}`,
  };
  return shape;
}

/** Gives a file of the store its size: random bytes, which nothing can compress, and the times that Nix gives. */
function inflate(path: string, initrdSize: number): void {
  fs.rmSync(path);
  const fd = fs.openSync(path, 'wx', 0o444);
  if (path.endsWith('/initrd')) {
    for (let left = initrdSize; left > 0; left -= MIB) {
      fs.writeSync(fd, randomBytes(Math.min(left, MIB)));
    }
  } else {
    fs.writeSync(fd, aProgram([{ name: '.text', bytes: randomBytes(KERNEL_SIZE - HEADERS) }]));
  }
  fs.closeSync(fd);
  fs.utimesSync(path, 1, 1);
}

/** Bytes of a program's headers: ukify wants room for the sections that it adds. */
const HEADERS = 1024;

/** Makes a program that starts at its first section: ukify takes no other. */
function aProgram(sections: readonly ASection[], sizeOfHeaders = HEADERS): Uint8Array {
  const bytes = aPe({ sections, sizeOfHeaders });
  new DataView(bytes.buffer).setUint32(OPTIONAL_HEADER + 16, roundUp(sizeOfHeaders, 0x1000), true);
  return bytes;
}

const VERSION = '262.1';
const LOADER_SIZE = 100 * 1024;
/** Bytes of a stub's headers, with room for some 500 sections: those of Debian's 262. */
const STUB_HEADERS = 0x5000;

/** Makes a boot loader and a stub that have of systemd's the size and the marks, so that none need be installed. */
function aSystemd(systemd: string): Pick<Machine, 'systemd' | 'stub' | 'loaderConf'> {
  const efi = join(systemd, 'lib/systemd/boot/efi');
  const text = (content: string) => new TextEncoder().encode(content);
  const code = { name: '.text', bytes: randomBytes(LOADER_SIZE) };
  const sbat = { name: '.sbat', bytes: text('sbat,1,SBAT Version,sbat,1,https://example.org\n') };
  const loader = [
    { name: '.sdmagic', bytes: text(`#### LoaderInfo: systemd-boot ${VERSION} ####\0`) },
    { name: '.osrel', bytes: text(`ID=systemd-boot\nVERSION="${VERSION}"\n`) },
  ];
  fs.mkdirSync(efi, { recursive: true });
  fs.writeFileSync(join(efi, 'systemd-bootx64.efi'), aProgram([code, sbat, ...loader]));
  const stub = join(efi, 'linuxx64.efi.stub');
  const marker = {
    name: '.sdmagic',
    bytes: text(`#### LoaderInfo: systemd-stub ${VERSION} ####\0`),
  };
  fs.writeFileSync(stub, aProgram([code, sbat, marker], STUB_HEADERS));
  const loaderConf = join(systemd, 'loader.conf');
  fs.writeFileSync(loaderConf, 'timeout 5\n');
  return { systemd, stub, loaderConf };
}

const keys = join(import.meta.dirname, '../../fixtures/keys');

/** Makes a folder for keys, outside of any work tree and for nobody else, that lasts as long as this process. */
export function folderForKeys(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'espalier-bench-keys-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Copies the keys of the fixtures to where nobody else may read them, as a checkout may not have left them. */
function ownKeys(): Pick<Machine, 'certificate' | 'privateKey'> {
  const folder = folderForKeys();
  const [certificate, privateKey] = [join(folder, 'db.pem'), join(folder, 'db.key')];
  fs.copyFileSync(join(keys, 'db.pem'), certificate);
  fs.copyFileSync(join(keys, 'db.key'), privateKey);
  fs.chmodSync(privateKey, 0o600);
  return { certificate, privateKey };
}
