/** A survey for as long as it is true: what others did to the profiles meanwhile makes it a new one. */

import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { findGenerationLinks, parseLink } from '../generation/profile.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner } from '../signer/pem.ts';
import { pinsDirectory } from './pins.ts';
import { survey } from './survey.ts';
import type { Survey } from './surveyed.ts';

/** What the system wants, as it was first seen and as it is now. */
export interface Wants {
  /** The last survey. */
  known(): Survey;
  /** Surveys again if a profile or a pin changed since, and returns what is then known. */
  renewed(): Promise<Survey>;
}

/** A survey that can be renewed; disposing it removes private copies. */
export interface Surveyor extends Wants, Disposable {}

/** More often than this the profiles do not change while they are looked at. */
const TRIES = 5;

/** A survey, and the links that it was made by. */
interface Look {
  readonly links: string;
  readonly survey: Survey;
}

/** Surveys the system. Throws as {@link survey} does. */
export async function openSurveyor(
  settings: Settings,
  toplevel: string | undefined,
  context: Context,
  signer?: LoadedSigner,
): Promise<Surveyor> {
  const links = () => linksOf(settings, context.disk);
  /** What changes while it is looked at is looked at again: neither what is found nor what fails is true. */
  const look = async (tries: number): Promise<Look> => {
    const before = links();
    const isTorn = () => tries > 1 && links() !== before;
    const found = await survey(settings, toplevel, context, signer).catch((error: unknown) => {
      if (isTorn()) return undefined;
      throw error;
    });
    if (found && !isTorn()) return { links: before, survey: found };
    found?.dispose();
    return look(tries - 1);
  };
  let last = await look(TRIES);
  return {
    known: () => last.survey,
    async renewed() {
      if (last.links !== links()) {
        const next = await look(TRIES);
        last.survey.dispose();
        last = next;
      }
      return last.survey;
    },
    [Symbol.dispose]: () => last.survey.dispose(),
  };
}

/** Tells one state of the profiles and pins from another: a link that changes is another file. */
function linksOf(settings: Settings, disk: Disk): string {
  const paths = settings.profiles.flatMap((path) =>
    parseLink(path) ? [path] : linksIn(disk, path),
  );
  return [...paths, ...linksIn(disk, pinsDirectory(settings, disk))]
    .map((path) => {
      const { inode, modified, changed } = disk.linkStat(path) ?? {};
      return [path, inode, modified, changed].join('\0');
    })
    .join('\n');
}

/** The links of generations in a directory, and those that say which is current. */
function linksIn(disk: Disk, directory: string): string[] {
  const links = findGenerationLinks(disk, directory).map(({ path }) => path);
  return [...new Set(links.flatMap((path) => [path, path.replace(/-\d+-link$/, '')]))];
}
