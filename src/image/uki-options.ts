/** What a description of an image may say of a UKI: the options of `uki build`, but for those that the image settles. */
import * as v from 'valibot';
import type { RawSettings } from '../settings/configuration-file.ts';
import type { Option } from '../settings/option.ts';
import { DRACUT_LISTS, UKI_BUILD_OPTIONS } from '../settings/uki-options.ts';

/** Options that a build of a disk settles by itself, or has no use for: why, for who gives one. */
const SETTLED: Readonly<Record<string, string>> = {
  output: 'path says where it goes on the ESP',
  'secureboot-private-key': 'private-key of the image signs it',
  'secureboot-certificate': 'certificate of the image is what it is signed for',
  measure: 'give the finished image to espalier measure',
  'policy-digest': 'a key elsewhere signs a UKI that image finish puts in',
  'join-pcrsig': 'a UKI that is there already is for image finish',
  pcrsig: 'a UKI that is there already is for image finish',
  'verity-of': 'the type of the partitions says it',
  'verity-hash-area': 'the image has it',
  'verity-hash-offset': 'the image has it',
  'verity-data-blocks': 'the superblock of the hash area says it',
};

/** In a table of their own, said of the whole image, or with another meaning here. */
const ELSEWHERE: readonly string[] = [
  ...DRACUT_LISTS,
  ...['dracut', 'kver', 'no-sign-kernel', 'allow-insecure-key', 'verity', 'verity-option'],
  ...['verity-on-corruption', 'verity-data-device', 'verity-hash-device', 'verity-signature'],
];

/** The options that a description takes under their own names. */
const TAKEN = UKI_BUILD_OPTIONS.filter(
  ({ name }) => !(name in SETTLED) && !ELSEWHERE.includes(name),
);

export const text = v.string('expected a text');

/** One text or several. It becomes a list. */
export const texts = v.union(
  [
    v.array(text),
    v.pipe(
      text,
      v.transform((one) => [one]),
    ),
  ],
  'expected a text, or a list of texts',
);

/** The entries of the schema. */
export const UKI_ENTRIES: Readonly<Record<string, v.GenericSchema>> = Object.fromEntries([
  ...TAKEN.map((option) => [option.name, v.exactOptional(schemaOf(option))]),
  ...Object.entries(SETTLED).map(([name, why]) => [name, v.exactOptional(v.never(why))]),
]);

function schemaOf({ value, repeatable }: Option): v.GenericSchema {
  if (value === undefined) return v.boolean('expected true or false');
  return repeatable ? texts : text;
}

/** Returns options with paths made absolute by `at`, behind `@` too. */
export function placedOptions(given: RawSettings, at: (path: string) => string): RawSettings {
  return Object.fromEntries(
    TAKEN.flatMap(({ name, value = '' }) => {
      const said = given[name];
      if (said === undefined) return [];
      const one = (each: unknown) => (typeof each === 'string' ? placed(each, value, at) : each);
      return [[name, Array.isArray(said) ? said.map(one) : one(said)]];
    }),
  );
}

function placed(given: string, kind: string, at: (path: string) => string): string {
  if (['FILE', 'DIR'].includes(kind)) return at(given);
  const [, before, path] = /^([^:@]*:?)@(.*)$/s.exec(kind.includes('@FILE') ? given : '') ?? [];
  return path === undefined ? given : `${before}@${at(path)}`;
}

/** Returns the files that options name. */
export function filesNamed(given: RawSettings): readonly string[] {
  return TAKEN.filter(({ value }) => value === 'FILE')
    .flatMap(({ name }) => given[name] ?? [])
    .filter((path) => typeof path === 'string');
}

/** Returns why an option of ukify’s configuration file would do nothing in an image; undefined when it does. */
export function settledBy(name: string): string | undefined {
  return SETTLED[name];
}
