/** A survey for as long as it is true: what others did to the profiles meanwhile makes it a new one. */

import type { Context } from '../context.ts';
import { openSource } from '../generation/sources.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner } from '../signer/pem.ts';
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
  const source = openSource(settings, context.disk);
  const links = () => source.fingerprint();
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
