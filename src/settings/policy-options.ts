/** The options of `uki build` for policies of PCR 11, with the names that ukify has for them. */
import type { Option } from './option.ts';

export const POLICY_OPTIONS: readonly Option[] = [
  {
    name: 'pcr-private-key',
    value: 'FILE',
    repeatable: true,
    help: 'PEM private key (RSA) that signs policies for PCR 11 into .pcrsig',
  },
  {
    name: 'pcr-public-key',
    value: 'FILE',
    repeatable: true,
    help: 'its public key (PEM), one for each private key (default: taken out of it)',
  },
  {
    name: 'pcr-certificate',
    value: 'FILE',
    repeatable: true,
    help: 'a certificate with it, instead of --pcr-public-key',
  },
  {
    name: 'phases',
    value: 'PATHS',
    repeatable: true,
    help: 'phases in which the policy of a key holds: paths divided by blanks or commas, their words by colons (default: the four of systemd-measure)',
  },
  {
    name: 'pcr-banks',
    value: 'BANKS',
    help: 'banks of the TPM, divided by commas (default: sha1, sha256, sha384, sha512)',
  },
  {
    name: 'policyref',
    value: 'TEXT',
    repeatable: true,
    help: 'binds the policy of a key to whoever asks by this text',
  },
  {
    name: 'sign-initrd-pcrs',
    help: 'sign one policy more: for the initrd alone, bound to the text initrd',
  },
  {
    name: 'sign-profile',
    value: 'ID',
    repeatable: true,
    help: 'only profiles of these IDs get a policy',
  },
  { name: 'measure', help: 'print what PCR 11 will hold, phase by phase' },
  {
    name: 'policy-digest',
    help: 'print what somebody else has to sign, and leave room for it in .pcrsig',
  },
  {
    name: 'join-pcrsig',
    value: 'FILE',
    help: 'image that was built with --policy-digest, to be completed with --pcrsig',
  },
  { name: 'pcrsig', value: 'TEXT|@FILE', help: 'the policies with their signatures, as JSON' },
];
