/** The profiles that an image can boot, each with the command line that the stub uses for it. */
import * as v from 'valibot';
import { parseLines } from '../bls.ts';
import type { UkiReport } from './inspect.ts';

/** One way to boot an image. */
export interface BootProfile {
  /** Its name in messages: number and ID, or `the image` for one without profiles. */
  readonly name: string;
  /** Its own command line, else the base's. */
  readonly cmdline: string | undefined;
}

/** Of several sections with one name, the stub takes the first. */
const text = v.optional(
  v.union(
    [
      v.pipe(
        v.array(v.object({ text: v.optional(v.string()) })),
        v.transform(([first]) => first?.text),
      ),
      v.pipe(
        v.object({ text: v.optional(v.string()) }),
        v.transform((section) => section.text),
      ),
    ],
    'expected a section, or a list of sections',
  ),
);
const profile = v.object({ '.cmdline': text, '.profile': text });

/** The output of `ukify inspect --json`. Before systemd 262 it shows the last profile alone. */
export const inspectedImage = v.object({
  ...profile.entries,
  _profiles: v.optional(v.array(profile), []),
});

/** Returns the profiles of an image, in the order of their numbers (UKI §Multi-Profile UKIs). */
export function bootProfiles(image: v.InferOutput<typeof inspectedImage>): readonly BootProfile[] {
  const base = image['.cmdline'];
  if (image._profiles.length === 0) return [{ name: 'the image', cmdline: base }];
  return image._profiles.map((own, number) => {
    const id = parseLines(own['.profile'] ?? '', '=').find(([key]) => key === 'ID')?.[1];
    const name = id === undefined ? `profile ${number}` : `profile ${number} (${id})`;
    return { name, cmdline: own['.cmdline'] ?? base };
  });
}

/** Returns the profiles of an image that this program inspected. */
export function reportedProfiles(report: UkiReport): readonly BootProfile[] {
  return bootProfiles(v.parse(inspectedImage, report));
}
