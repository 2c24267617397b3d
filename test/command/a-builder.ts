/** What nixpkgs' builder for systemd-boot leaves on an ESP, made from what is publicly known about it. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hash } from '../../src/digest.ts';
import { BOOTSPEC } from '../../src/generation/bootspec.ts';
import type { Machine } from './a-machine.ts';

/** Which builder: until 2025 entries were called after generations, now after their text. */
export type BuilderAge = 'old' | 'new';

/** Where the builder puts the kernel, the initrd and the entry of a generation, relative to the ESP. */
export interface BuilderFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly entry: string;
}

/** Files are called after their place in the store, initrds too with the suffix of a program. */
function stored(path: string): string {
  return `EFI/nixos/${basename(dirname(path))}-${basename(path)}.efi`;
}

/** Installs a generation as the builder does, and makes it the one that boots next. */
export function builderInstalls(
  machine: Machine,
  generation: number,
  age: BuilderAge = 'new',
): BuilderFiles {
  const file = join(machine.link(generation), 'boot.json');
  const spec = JSON.parse(readFileSync(file, 'utf8'))[BOOTSPEC];
  const [kernel, initrd] = [stored(spec.kernel), stored(spec.initrd)];
  const text = [
    'title NixOS',
    `version Generation ${generation} ${spec.label}, built on 2026-11-20`,
    `linux /${kernel}`,
    `initrd /${initrd}`,
    `options init=${spec.init} ${spec.kernelParams.join(' ')}`,
    'machine-id 0123456789abcdef0123456789abcdef',
    'sort-key nixos',
  ].join('\n');
  const name = age === 'old' ? `nixos-generation-${generation}` : `nixos-${hash(text)}`;
  const entry = `loader/entries/${name}.conf`;
  machine.put(kernel, readFileSync(spec.kernel));
  machine.put(initrd, readFileSync(spec.initrd));
  machine.put(entry, text);
  machine.put(
    'loader/loader.conf',
    `timeout 7\ndefault ${name}.conf\neditor 0\nconsole-mode keep\n`,
  );
  machine.put('loader/entries.srel', 'type1\n');
  return { kernel, initrd, entry };
}

/** Puts an extra file where the builder does, with the mark by which it knows that it is its own. */
export function builderPutsExtra(machine: Machine, path: string, content: string): string {
  const mark = `EFI/nixos/.extra-files/${path}`;
  machine.put(path, content);
  machine.put(mark, '');
  return mark;
}
