/** A small Nix world with five generations: real kernel, real initrds, the shapes that real profiles have. */
import { createHash } from 'node:crypto';
import { copyFileSync, lutimesSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Member } from './cpio.ts';
import { makeProofInitrd } from './initrd.ts';
import type { Parts } from './parts.ts';
import { emulated } from './qemu.ts';

/** How a generation describes itself. */
type Bootspec = 'whole' | 'absent' | 'broken';

interface Recipe {
  readonly number: number;
  readonly about: string;
  readonly bootspec: Bootspec;
  /** Generations with the same text have the same initrd in the store. */
  readonly initrd: string;
  readonly specialisations: readonly string[];
}

const recipes: readonly Recipe[] = [
  { number: 1, about: 'plain', bootspec: 'whole', initrd: 'a', specialisations: [] },
  {
    number: 2,
    about: 'with two specialisations',
    bootspec: 'whole',
    initrd: 'b',
    specialisations: ['Rescue Shell', 'hardened'],
  },
  {
    number: 3,
    about: 'without boot.json: what it boots is read from its links',
    bootspec: 'absent',
    initrd: 'c',
    specialisations: [],
  },
  {
    number: 4,
    about: 'its boot.json is cut off in the middle',
    bootspec: 'broken',
    initrd: 'd',
    specialisations: [],
  },
  {
    number: 5,
    about: 'current; shares kernel and initrd with generation 2',
    bootspec: 'whole',
    initrd: 'b',
    specialisations: [],
  },
];

/** One generation of the world. `toplevel` is its system closure. */
export interface DemoGeneration {
  readonly number: number;
  readonly about: string;
  readonly toplevel: string;
}

/** The world: `profiles` is what `--profiles` wants, the last generation is the current one. */
export interface DemoWorld {
  readonly root: string;
  readonly profiles: string;
  readonly generations: readonly DemoGeneration[];
}

const parameters = ['console=ttyS0', 'quiet', 'panic=1', ...emulated];
/** The first generation is a day in 2025, and each is a day younger than the one before. */
const firstDay = Date.UTC(2025, 0, 1) / 1000;
const day = 24 * 60 * 60;

/**
 * Makes the world anew under `root`, an absolute path.
 * @param more what every initrd brings besides
 */
export function makeProfiles(root: string, parts: Parts, more: readonly Member[] = []): DemoWorld {
  rmSync(root, { recursive: true, force: true });
  const store = openStore(join(root, 'nix/store'));
  const profiles = join(root, 'nix/var/nix/profiles');
  mkdirSync(profiles, { recursive: true });
  const linux = addLinux(store, parts);
  const generations = recipes.map((recipe) => {
    const initrd = makeProofInitrd(parts, `initrd ${recipe.initrd}`, more);
    const toplevel = addSystem(store, linux, recipe, initrd);
    const link = join(profiles, `system-${recipe.number}-link`);
    symlinkSync(toplevel, link);
    const made = firstDay + recipe.number * day;
    lutimesSync(link, made, made);
    return { number: recipe.number, about: recipe.about, toplevel };
  });
  symlinkSync(`system-${generations.length}-link`, join(profiles, 'system'));
  return { root, profiles, generations };
}

/** A store: `add` gives a name its path, which is the same for the same seed. */
interface Store {
  add(seed: string, name: string): string;
}

const nixBase32 = '0123456789abcdfghijklmnpqrsvwxyz';

function openStore(folder: string): Store {
  mkdirSync(folder, { recursive: true });
  return {
    add(seed, name) {
      const bytes = [...createHash('sha256').update(`${seed}\0${name}`).digest()];
      const hash = bytes.map((byte) => nixBase32.charAt(byte % 32)).join('');
      const path = join(folder, `${hash}-${name}`);
      mkdirSync(path, { recursive: true });
      return path;
    },
  };
}

interface Linux {
  readonly version: string;
  readonly image: string;
  /** The folder that a toplevel's `kernel-modules` leads to. */
  readonly modules: string;
}

function addLinux(store: Store, parts: Parts): Linux {
  const version = parts.kernelVersion;
  const path = store.add('linux', `linux-${version}`);
  const image = join(path, 'bzImage');
  copyFileSync(parts.kernel, image);
  const modules = store.add('modules', `linux-${version}-modules`);
  mkdirSync(join(modules, 'lib/modules', version), { recursive: true });
  return { version, image, modules };
}

interface System {
  readonly label: string;
  readonly toplevel: string;
  readonly linux: Linux;
  readonly initrd: string;
  readonly kernelParams: readonly string[];
}

/** Adds a generation's toplevel, and one for each specialisation, and returns the path of the former. */
function addSystem(store: Store, linux: Linux, recipe: Recipe, content: Uint8Array): string {
  const initrdFolder = store.add(recipe.initrd, `initrd-linux-${linux.version}`);
  const initrd = join(initrdFolder, 'initrd');
  writeFileSync(initrd, content);
  const system = (name: string, note: string): System => ({
    label: `NixOS Demo ${recipe.number}${note} (Linux ${linux.version})`,
    toplevel: store.add('system', `nixos-system-demo-generation-${name}`),
    linux,
    initrd,
    kernelParams: [...parameters, `demo.generation=${name}`],
  });
  const children = recipe.specialisations.map((name) => {
    const slug = name.toLowerCase().replaceAll(' ', '-');
    const child = system(`${recipe.number}-${slug}`, `, ${name}`);
    writeToplevel(child, `${JSON.stringify(bootspec(child))}\n`);
    return [name, child] as const;
  });
  const parent = system(`${recipe.number}`, '');
  const specialisations = children.map(([name, child]) => [name, bootspec(child)] as const);
  const document = `${JSON.stringify(bootspec(parent, Object.fromEntries(specialisations)))}\n`;
  const texts: Record<Bootspec, string | undefined> = {
    whole: document,
    absent: undefined,
    broken: document.slice(0, document.length / 2),
  };
  writeToplevel(parent, texts[recipe.bootspec]);
  for (const [name, child] of children) {
    mkdirSync(join(parent.toplevel, 'specialisation'), { recursive: true });
    symlinkSync(child.toplevel, join(parent.toplevel, 'specialisation', name));
  }
  return parent.toplevel;
}

/** Returns the document of RFC 0125 as nixpkgs writes it. */
function bootspec(system: System, specialisations: Record<string, unknown> = {}): object {
  return {
    'org.nixos.bootspec.v1': {
      init: join(system.toplevel, 'init'),
      initrd: system.initrd,
      kernel: system.linux.image,
      kernelParams: system.kernelParams,
      label: system.label,
      system: 'x86_64-linux',
      toplevel: system.toplevel,
    },
    'org.nixos.specialisation.v1': specialisations,
  };
}

function writeToplevel(system: System, bootJson: string | undefined): void {
  const at = (name: string): string => join(system.toplevel, name);
  const texts = {
    init: '#!/bin/sh\n',
    'kernel-params': system.kernelParams.join(' '),
    'nixos-version': `demo-${basename(system.toplevel).replace(/^.*-generation-/, '')}`,
    system: 'x86_64-linux',
    ...(bootJson === undefined ? {} : { 'boot.json': bootJson }),
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(at(name), text);
  symlinkSync(system.linux.image, at('kernel'));
  symlinkSync(system.linux.modules, at('kernel-modules'));
  symlinkSync(system.initrd, at('initrd'));
}
