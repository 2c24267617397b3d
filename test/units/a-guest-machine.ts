/** A Nix machine for a guest: generations in a store at their usual place, and our services installed. */
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { aKernel } from '../command/a-machine.ts';
import { aProfiles, type GenerationShape } from '../generation/a-generation.ts';
import { linkOf, type Member, memberFrom, memberOf, membersUnder } from '../lab/cpio.ts';
import type { Parts } from '../lab/parts.ts';

/** What a guest needs to be such a machine. */
export interface GuestMachine {
  readonly members: readonly Member[];
  /** Returns the commands that make a generation the profile's current one, as a rebuild does. */
  switchTo(number: number): string;
}

const profiles = '/nix/var/nix/profiles';
/** Where the bundle is in the guest. */
export const PROGRAM = '/usr/lib/espalier/espalier.mjs';

/** Makes the machine with these generations in the store, the first of which is current and running. */
export function aGuestMachine(
  parts: Parts,
  bundle: string,
  shapes: readonly GenerationShape[],
): GuestMachine {
  const root = mkdtempSync(join(tmpdir(), 'espalier-world-'));
  try {
    aProfiles(
      root,
      shapes.map((shape) => ({ kernel: aKernel(), ...shape })),
    );
    const toplevels = shapes.map((_, index) =>
      readlinkSync(join(root, profiles, `system-${index + 1}-link`)).slice(root.length),
    );
    const switchTo = (number: number): string =>
      [
        `ln -sfn ${toplevels[number - 1]} ${profiles}/system-${number}-link`,
        `ln -sfn system-${number}-link ${profiles}/system`,
      ].join('; ');
    const efi = join(parts.systemdRoot[257], 'lib/systemd/boot/efi');
    return {
      members: [
        ...movedToRoot(root).filter(({ path }) => path.startsWith('nix/store')),
        linkOf(`${profiles.slice(1)}/system-1-link`, toplevels[0] ?? ''),
        linkOf(`${profiles.slice(1)}/system`, 'system-1-link'),
        ...['systemd-bootx64.efi', 'linuxx64.efi.stub'].map((name) =>
          memberFrom(`usr/lib/systemd/boot/efi/${name}`, join(efi, name)),
        ),
        memberFrom(PROGRAM.slice(1), bundle),
        memberOf('etc/espalier.toml', 'allow-unsigned = true\nformat = "uki"\n'),
      ],
      switchTo,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Documents and links name their paths under `root`; in the guest they are at `/`. */
function movedToRoot(root: string): readonly Member[] {
  const limit = 64 * 1024;
  return membersUnder(root).map(({ content, path, ...member }) => ({
    ...member,
    path: relative(root, `/${path}`),
    content:
      content.length > limit
        ? content
        : Buffer.from(Buffer.from(content).toString('latin1').replaceAll(root, ''), 'latin1'),
  }));
}
