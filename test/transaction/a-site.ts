/** Plans made by hand, and a disk in memory to carry them out on. */
import type { Progress } from '../../src/context.ts';
import type { FileStat } from '../../src/disk/disk.ts';
import { espPath } from '../../src/esp/layout.ts';
import type { Content, Phase, PhaseName, Plan, Step } from '../../src/plan/step.ts';
import { unsigned } from '../../src/signer/signer.ts';
import type { Site } from '../../src/transaction/apply.ts';
import { MemoryDisk, type MemoryDiskOptions } from '../support/memory-disk.ts';

export const text = (value: string): Content => ({ kind: 'text', text: value });
const sizeOf = (content: Content): number => (content.kind === 'text' ? content.text.length : 0);

/** Returns a step that writes. */
export function write(path: string, content: Content, size = sizeOf(content)): Step {
  return { kind: 'write', path: espPath(path), size, content, because: 'it is not there' };
}

export function replace(path: string, content: Content, size = sizeOf(content)): Step {
  return { kind: 'replace', path: espPath(path), size, content, because: 'it is older' };
}

export function overwrite(path: string, value: string): Step {
  const content = { kind: 'text', text: value } as const;
  const because = 'another entry boots next';
  return { kind: 'overwrite', path: espPath(path), size: value.length, content, because };
}

export function remove(path: string, size = 0): Step {
  return { kind: 'remove', path: espPath(path), size, because: 'no entry names it' };
}

/** Returns a plan of these phases. */
export function aPlan(...phases: readonly (readonly [PhaseName, ...Step[]])[]): Plan {
  return {
    phases: phases.map(([name, ...steps]): Phase => ({ name, steps })),
    default: '',
    entries: [],
    leftOut: [],
    space: { total: 0, free: 0, reserve: 0, peak: 0, after: 0 },
  };
}

/** Returns an ESP at `/boot` with these files, and the site of a plan for it. */
export function aSite(
  options: MemoryDiskOptions = {},
  difference: Partial<Site> = {},
): { disk: MemoryDisk; site: Site } {
  const disk = new MemoryDisk({ capacity: 1 << 22, ...options });
  const sources = new Map<string, FileStat>();
  const site = { disk, root: '/boot', signer: unsigned, sources, processId: 7, ...difference };
  return { disk, site };
}

/** The files on the ESP as text, by path from its root. */
export function files(disk: MemoryDisk): Record<string, string> {
  return Object.fromEntries(
    [...disk.tree('/boot')].map(([path, bytes]) => [
      path.slice(6),
      new TextDecoder().decode(bytes),
    ]),
  );
}

/** Returns what hears the name of each phase before it begins. */
export function onPhase(hear: (name: string) => unknown): Progress {
  const begin = (what: string) => void hear(what.slice(what.indexOf(': ') + 2));
  return { begin, advance: () => undefined };
}
