/** Keeps a survey, and makes a new one when the profiles have changed. */

import type { Context } from '../context.ts';
import { openSource } from '../generation/sources.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner } from '../signer/pem.ts';
import { survey } from './survey.ts';
import type { Survey } from './surveyed.ts';

/** What the system wants: the last survey, and a new one on request. */
export interface Wants {
  /** The last survey. */
  known(): Survey;
  /** Surveys again if a profile or a pin has changed since. Returns the valid survey. */
  renewed(): Promise<Survey>;
}

/** A survey that can be renewed. Disposing of it removes private copies. */
export interface Surveyor extends Wants, Disposable {}

/** The most attempts. Profiles do not change more often while they are being read. */
const TRIES = 5;

/** A survey, and the fingerprint of the links it was made from. */
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
  /** Surveys again when links change meanwhile: neither a result nor a failure would be valid. */
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
