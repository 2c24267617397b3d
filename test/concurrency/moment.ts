/** The profiles of a machine as they change, step by step, and what a run alone makes of each state. */
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import type { Machine } from '../command/a-machine.ts';

/** What a machine's profiles are: numbers of its generations, and which of them are pinned. */
export interface Profiles {
  readonly generations: readonly number[];
  readonly current: number;
  readonly pinned: readonly number[];
}

/** One change of the profiles, of the kind that no look can see half of. */
export type Step = {
  readonly kind: 'add' | 'delete' | 'switch' | 'pin' | 'unpin';
  readonly number: number;
};

/** Returns the profiles after a step. */
export function after(
  { generations, current, pinned }: Profiles,
  { kind, number }: Step,
): Profiles {
  const without = (list: readonly number[]) => list.filter((other) => other !== number);
  const steps: Record<Step['kind'], Partial<Profiles>> = {
    add: { generations: [...generations, number] },
    delete: { generations: without(generations) },
    switch: { current: number },
    pin: { pinned: [...without(pinned), number] },
    unpin: { pinned: without(pinned) },
  };
  return { generations, current, pinned, ...steps[kind] };
}

/** A directory of profiles and one of pins, changed as Nix and `pin` change them: by rename. */
export class ProfileDirectory {
  readonly path: string;
  readonly pins: string;
  readonly #machine: Machine;

  constructor(machine: Machine, path: string, profiles: Profiles) {
    this.#machine = machine;
    this.path = path;
    this.pins = join(path, 'pins');
    fs.mkdirSync(this.pins, { recursive: true });
    for (const number of profiles.generations) this.take({ kind: 'add', number });
    for (const number of profiles.pinned) this.take({ kind: 'pin', number });
    this.take({ kind: 'switch', number: profiles.current });
  }

  take({ kind, number }: Step): void {
    const link = join(this.path, `system-${number}-link`);
    const pin = join(this.pins, basename(link));
    const steps: Record<Step['kind'], () => void> = {
      add: () => this.#link(number, link),
      delete: () => fs.unlinkSync(link),
      switch: () => this.#link(number, join(this.path, 'system'), basename(link)),
      pin: () => this.#link(number, pin),
      unpin: () => fs.unlinkSync(pin),
    };
    steps[kind]();
  }

  /** The arguments that make the program see these profiles. */
  arguments(): string[] {
    return ['--profiles', this.path, '--pins', this.pins];
  }

  #link(number: number, path: string, target: string = this.#machine.toplevel(number)): void {
    const { mtimeMs } = fs.lstatSync(this.#machine.link(number));
    fs.symlinkSync(target, `${path}.tmp`);
    fs.lutimesSync(`${path}.tmp`, mtimeMs / 1000, mtimeMs / 1000);
    fs.renameSync(`${path}.tmp`, path);
  }
}
