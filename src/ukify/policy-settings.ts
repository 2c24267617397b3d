/** Reads and checks what `uki build` is told about policies, by ukify's rules. */
import * as v from 'valibot';
import type { RawSettings } from '../settings/configuration-file.ts';
import { path } from '../settings/value-schemas.ts';
import { BANKS, type Bank, parseBanks } from '../uki/pcr-bank.ts';
import { DEFAULT_PHASES, PHASE_WORDS, parsePhases } from '../uki/phase.ts';
import { misuse } from './misuse.ts';

/** Options that are given once for each key. A key that has none has a gap in the list. */
const KEY_OPTIONS = [
  'pcr-private-key',
  'pcr-public-key',
  'pcr-certificate',
  'phases',
  'policyref',
] as const;

const flag = v.optional(v.boolean(), false);
const paths = v.optional(v.array(v.optional(path)), []);
const texts = v.optional(v.array(v.optional(v.string())), []);

/** The entries of the schema of `uki build`. */
export const policyEntries = {
  'pcr-private-key': paths,
  'pcr-public-key': paths,
  'pcr-certificate': paths,
  phases: texts,
  policyref: texts,
  'pcr-banks': v.optional(v.string()),
  'sign-initrd-pcrs': flag,
  'sign-profile': v.optional(v.array(v.string()), []),
  measure: flag,
  'policy-digest': flag,
  'join-pcrsig': v.optional(path),
  pcrsig: v.optional(v.string()),
};

/** The settings of an image's policies. */
type PolicySettings = v.InferOutput<v.ObjectSchema<typeof policyEntries, undefined>>;

/** Whether anything is asked for that needs a look at keys or at what is measured. */
export function wantsPolicies(settings: PolicySettings): boolean {
  const isListed = KEY_OPTIONS.some((name) => settings[name].length > 0);
  const { measure, 'policy-digest': isElsewhere, 'sign-initrd-pcrs': forInitrd } = settings;
  return isListed || measure || isElsewhere || forInitrd;
}

/** Joins the options for keys: those of the command line first, then the groups of the file. */
export function mergeKeys(fromFile: RawSettings, flags: RawSettings): RawSettings {
  const listIn = (from: RawSettings, name: string) => {
    const list = from[name];
    return Array.isArray(list) ? list : [];
  };
  const count = listIn(flags, 'pcr-private-key').length;
  return Object.fromEntries(
    KEY_OPTIONS.flatMap((name) => {
      const [named, more] = [listIn(flags, name), listIn(fromFile, name)];
      const gaps = more.length > 0 ? Math.max(0, count - named.length) : 0;
      const all = [...named, ...Array.from({ length: gaps }, () => undefined), ...more];
      return all.length === 0 ? [] : [[name, all]];
    }),
  );
}

/** One key, and what it signs. */
export interface PolicyGroup {
  readonly privateKey: string;
  /** Its public key, or a certificate with it. */
  readonly publicKey: string | undefined;
  readonly phases: readonly string[];
  readonly reference?: string;
}

/** What is asked for of the policies of an image. */
export interface PolicyAsked {
  readonly groups: readonly PolicyGroup[];
  /** The key for somebody else to sign with, with `--policy-digest`. */
  readonly elsewhere: string | undefined;
  /** The only public key where there is no private one: it goes into the image. */
  readonly noted: string | undefined;
  /** Every phase that is named, for whoever signs elsewhere and for `--measure`. */
  readonly phases: readonly string[];
  readonly banks: readonly Bank[];
  /** IDs of the profiles that get policies; empty for all. */
  readonly profiles: readonly string[];
  readonly forInitrd: boolean;
  readonly measure: boolean;
}

/**
 * Returns what is asked for.
 * @throws {CONFIG_INVALID} when options do not go together
 */
export function readPolicyAsked(settings: PolicySettings): PolicyAsked {
  const privateKeys = defined(settings['pcr-private-key'], 'pcr-private-key');
  const [publicKeys, certificates] = [settings['pcr-public-key'], settings['pcr-certificate']];
  const { phases, policyref, 'policy-digest': isElsewhere } = settings;
  requireTogether(settings);
  const paths = phases.map((given) => (given === undefined ? undefined : phasesIn(given)));
  const named = publicKeys.length > 0 ? publicKeys : certificates;
  return {
    groups: privateKeys.map((privateKey, index) => {
      const reference = policyref[index];
      return {
        privateKey,
        publicKey: named[index],
        phases: paths[index] ?? DEFAULT_PHASES,
        ...(reference === undefined ? {} : { reference }),
      };
    }),
    elsewhere: isElsewhere ? named[0] : undefined,
    noted: privateKeys.length === 0 && named.length === 1 ? named[0] : undefined,
    phases: orDefault(paths.flatMap((list) => list ?? [])),
    banks: banksIn(settings['pcr-banks'] ?? ''),
    profiles: settings['sign-profile'],
    forInitrd: settings['sign-initrd-pcrs'],
    measure: settings.measure,
  };
}

/** What may stand beside `--join-pcrsig`: the image is there, and gets no other section. */
const WITH_JOIN = [
  ...['join-pcrsig', 'pcrsig', 'output', 'secureboot-private-key', 'secureboot-certificate'],
  ...['allow-insecure-key', 'config'],
];

/**
 * Checks that an image is completed with signatures, and with nothing else.
 * @param given every option that somebody named
 * @throws {CONFIG_INVALID}
 */
export function requireAlone(settings: PolicySettings, given: RawSettings): void {
  const [image, signed] = [settings['join-pcrsig'], settings.pcrsig];
  if ((image === undefined) !== (signed === undefined)) {
    throw misuse('expected both --join-pcrsig and --pcrsig, got one');
  }
  const other = Object.keys(given).find((name) => !WITH_JOIN.includes(name));
  if (image === undefined || other === undefined) return;
  throw misuse(`--${other}: --join-pcrsig completes an image that is built already`);
}

function orDefault(phases: readonly string[]): readonly string[] {
  return phases.length > 0 ? phases : DEFAULT_PHASES;
}

function defined(list: readonly (string | undefined)[], name: string): readonly string[] {
  return list.map((value) => {
    if (value === undefined) throw misuse(`--${name}: one of the keys has none`);
    return value;
  });
}

function requireTogether(settings: PolicySettings): void {
  const { 'policy-digest': isElsewhere, measure } = settings;
  const count = settings['pcr-private-key'].length;
  const [publicKeys, certificates] = [settings['pcr-public-key'], settings['pcr-certificate']];
  const rules: readonly (readonly [isBroken: boolean, because: string])[] = [
    [
      publicKeys.length > 0 && certificates.length > 0,
      'expected --pcr-public-key or --pcr-certificate, got both',
    ],
    [
      isElsewhere && count > 0,
      '--policy-digest: it is for a key elsewhere, and --pcr-private-key is given',
    ],
    [
      isElsewhere && publicKeys.length !== 1 && certificates.length !== 1,
      '--policy-digest: expected one --pcr-public-key or --pcr-certificate',
    ],
    [isElsewhere && measure, 'expected --policy-digest or --measure, got both'],
    [
      settings['sign-initrd-pcrs'] && count === 0 && !isElsewhere,
      '--sign-initrd-pcrs: there is no --pcr-private-key to sign with',
    ],
  ];
  const broken = rules.find(([isBroken]) => isBroken);
  if (broken) throw misuse(broken[1]);
  requireOneEach(settings, count);
}

/** Without a private key, some options are good for something else. */
function requireOneEach(settings: PolicySettings, count: number): void {
  const isNoted = settings.measure || settings['policy-digest'];
  const free = ['pcr-public-key', 'pcr-certificate', ...(isNoted ? ['phases'] : [])];
  for (const name of KEY_OPTIONS) {
    const given = settings[name].length;
    if (given === 0 || given === count || (count === 0 && free.includes(name))) continue;
    throw misuse(`--${name}: expected one for each --pcr-private-key (${count}), got ${given}`);
  }
}

function phasesIn(text: string): readonly string[] {
  const paths = parsePhases(text);
  if (paths !== undefined) return paths;
  throw misuse(
    `--phases: expected paths of ${PHASE_WORDS.join(', ')}, got ${JSON.stringify(text)}`,
  );
}

function banksIn(text: string): readonly Bank[] {
  const banks = text.trim() === '' ? BANKS : parseBanks(text);
  if (banks !== undefined) return banks;
  throw misuse(`--pcr-banks: expected some of ${BANKS.join(', ')}, got ${JSON.stringify(text)}`);
}
