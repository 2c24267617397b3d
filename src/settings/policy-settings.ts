/** The settings of policies for PCR 11. */
import * as v from 'valibot';
import { BANKS, parseBanks } from '../uki/pcr-bank.ts';
import { DEFAULT_PHASES, PHASE_WORDS, parsePhases } from '../uki/phase.ts';
import { SURVEYING, setting } from './setting.ts';
import { flag, path, words } from './value-schemas.ts';

const phases = v.pipe(
  v.string(`expected paths of ${PHASE_WORDS.join(', ')}`),
  v.transform((text): readonly string[] => parsePhases(text) ?? []),
  v.minLength(1, `expected paths of ${PHASE_WORDS.join(', ')}`),
);

const banks = v.pipe(
  v.string(`expected some of ${BANKS.join(', ')}`),
  v.transform((text) => parseBanks(text) ?? []),
  v.minLength(1, `expected some of ${BANKS.join(', ')}`),
);

/** Each of them by its name. */
export const POLICY_SETTINGS = {
  'pcr-private-key': setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'PEM private key (RSA) that signs policies for PCR 11 into every image, for disks that unlock by it',
    verbs: [...SURVEYING, 'sign'],
    alternatives: 'pcr-key',
    reach: 'read',
  }),
  'pcr-signing-command': setting({
    value: 'COMMAND',
    schema: v.optional(words),
    help: 'signs policies where their key is, instead of --pcr-private-key: as --signing-command does',
    verbs: [...SURVEYING, 'sign'],
    alternatives: 'pcr-key',
    // Only its owner knows what the command runs and opens, so the owner's drop-in binds that.
    reach: 'nothing',
  }),
  'pcr-signing-batch': setting({
    schema: v.optional(flag, false),
    help: 'one run of --pcr-signing-command signs all: lines of hexadecimal in, lines of base64 out',
    verbs: [...SURVEYING, 'sign'],
    reach: 'nothing',
  }),
  'pcr-signatures': setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'signatures of policies that another machine made, instead of --pcr-private-key',
    verbs: SURVEYING,
    alternatives: 'pcr-key',
    reach: 'read',
  }),
  'pcr-public-key': setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'public key of those who sign policies (PEM), or a certificate with it',
    fallback: 'that of --pcr-private-key',
    verbs: [...SURVEYING, 'verify', 'sign'],
    reach: 'read',
  }),
  'pcr-phases': setting({
    value: 'PATHS',
    schema: v.optional(phases, DEFAULT_PHASES.join(' ')),
    help: 'phases of the boot in which a policy holds: paths divided by blanks, their words by colons',
    verbs: [...SURVEYING, 'verify'],
    reach: 'nothing',
  }),
  'pcr-banks': setting({
    value: 'BANKS',
    schema: v.optional(banks, 'sha256'),
    help: 'banks of the TPM that policies are for, divided by commas; others than sha256 have every kernel and initrd read in each run',
    verbs: [...SURVEYING, 'verify'],
    reach: 'nothing',
  }),
};
