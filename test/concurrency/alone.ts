/** What runs that have a machine for themselves make of its ESP: the only results that are right. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { ProfileDirectory, type Profiles } from './moment.ts';
import { argumentsOf, type Place } from './storm.ts';

/** Files by path with the SHA-256 of their content. */
export type Tree = Readonly<Record<string, string>>;

/** A run alone: its verb, and the settings and profiles that decide what it does. */
export interface Run {
  readonly verb: 'install' | 'gc';
  readonly limit: number;
  readonly profiles: Profiles;
}

/** Returns what makes trees by runs alone; what it made once it knows. */
export function aloneOn(place: Place): (runs: readonly Run[]) => Promise<Tree> {
  const { machine } = place;
  const known = new Map<string, Promise<Tree>>();
  const directories = new Map<string, ProfileDirectory>();
  const home = fs.mkdtempSync(join(machine.root, 'alone-'));
  const directoryOf = (profiles: Profiles): ProfileDirectory => {
    const key = JSON.stringify(profiles);
    const path = join(home, `profiles-${directories.size}`);
    const found = directories.get(key) ?? new ProfileDirectory(machine, path, profiles);
    directories.set(key, found);
    return found;
  };
  const make = async (runs: readonly Run[], esp: string): Promise<Tree> => {
    fs.mkdirSync(esp);
    for (const { verb, limit, profiles } of runs) {
      const here = { ...place, esps: [esp], profiles: directoryOf(profiles) };
      const ran = await machine.runWith({}, ...argumentsOf({ verb, limit, reversed: false }, here));
      if (ran.status !== 0)
        throw new Error(`${verb} alone ends with ${ran.status}`, { cause: ran.error });
    }
    return machine.tree(esp);
  };
  return (runs) => {
    const key = JSON.stringify(runs);
    const tree = known.get(key) ?? make(runs, join(home, `esp-${known.size}`));
    known.set(key, tree);
    return tree;
  };
}
