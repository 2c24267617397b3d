/** What lanzaboote's own tool leaves on an ESP, made from what is publicly known about it. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { base32, digestBytes, hash } from '../../src/digest.ts';
import { BOOTSPEC } from '../../src/generation/bootspec.ts';
import type { Machine } from '../command/a-machine.ts';
import { type ASection, aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePem } from '../signer/test-key.ts';

/** The part of a bootspec that lanzaboote installs. */
interface Spec {
  readonly kernel: string;
  readonly initrd: string;
  readonly init: string;
  readonly kernelParams: readonly string[];
  readonly label: string;
  readonly toplevel: string;
}

/** Where lanzaboote puts the kernel, the initrd and the image of a generation, relative to the ESP. */
export interface LanzabooteFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly image: string;
}

function readSpec(machine: Machine, generation: number): Spec {
  return JSON.parse(readFileSync(join(machine.link(generation), 'boot.json'), 'utf8'))[BOOTSPEC];
}

/** Kernels and initrds are called after their content, and after the kernel's version. */
function blobName(kind: string, { kernel }: Spec, content: Uint8Array): string {
  const version = basename(dirname(kernel)).split('-').at(-1);
  return `EFI/nixos/${kind}-${version}-${base32(hash(content))}.efi`;
}

/** An image is called after the system's path and the file with the public key, not after its content. */
export function lanzabooteFiles(machine: Machine, generation: number): LanzabooteFiles {
  const spec = readSpec(machine, generation);
  const bytes = (text: string) => [...new TextEncoder().encode(text)];
  const inputs = [
    ['toplevel', bytes(spec.toplevel)],
    ['public_key', bytes(certificatePem)],
  ];
  const id = base32(hash(JSON.stringify(inputs)));
  return {
    kernel: blobName('kernel', spec, readFileSync(spec.kernel)),
    initrd: blobName('initrd', spec, readFileSync(spec.initrd)),
    image: `EFI/Linux/nixos-generation-${generation}-${id}.efi`,
  };
}

/** Installs a generation as lanzaboote does: its kernel, its initrd, and the image that names them. */
export function lanzabooteInstalls(machine: Machine, generation: number): LanzabooteFiles {
  const spec = readSpec(machine, generation);
  const files = lanzabooteFiles(machine, generation);
  const [kernel, initrd] = [readFileSync(spec.kernel), readFileSync(spec.initrd)];
  const text = (name: string, value: string): ASection => ({
    name,
    bytes: new TextEncoder().encode(value),
  });
  const tag = `Generation ${generation}, 1970-01-01`;
  machine.put(files.kernel, kernel);
  machine.put(files.initrd, initrd);
  machine.put(
    files.image,
    aPe({
      sections: [
        { name: '.text', bytes: countingBytes(900) },
        text('.osrel', `ID=lanza\nPRETTY_NAME=${spec.label} (${tag})\nVERSION_ID=${tag}\n`),
        text('.cmdline', [`init=${spec.init}`, ...spec.kernelParams].join(' ')),
        text('.initrd', `\\${files.initrd.replaceAll('/', '\\')}`),
        text('.linux', `\\${files.kernel.replaceAll('/', '\\')}`),
        { name: '.initrdh', bytes: digestBytes(hash(initrd)) },
        { name: '.linuxh', bytes: digestBytes(hash(kernel)) },
      ],
    }),
  );
  return files;
}
