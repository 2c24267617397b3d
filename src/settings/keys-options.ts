/**
 * The options of `keys` and `sign`. They are apart from the code, so that the help loads nothing
 * else.
 */
import type { Option } from './option.ts';

export const KEYS_GENERATE_OPTIONS: readonly Option[] = [
  { name: 'bits', value: '2048|3072|4096', help: 'size of the RSA keys (default: 4096)' },
  {
    name: 'days',
    value: 'N',
    help: 'how long the certificates are valid; firmware does not look at it (default: 3650)',
  },
  { name: 'next', help: 'make a key that is to take the place of db’s, beside it' },
];

export const KEYS_ENROLL_OPTIONS: readonly Option[] = [
  {
    name: 'next',
    help: 'write the update by which firmware comes to know the next key of db beside the present one',
  },
  {
    name: 'microsoft',
    value: 'FILE|DIR',
    repeatable: true,
    help: 'certificates of Microsoft, to go on trusting what they sign; repeatable',
  },
  {
    name: 'certificates',
    value: 'FILE',
    repeatable: true,
    help: 'certificates of others, as the vendor of the machine, PEM or DER; those for key exchange say KEK in their name',
  },
  { name: 'keep-firmware', help: 'go on trusting all that firmware has in KEK and db now' },
  {
    name: 'dbx',
    value: 'FILE',
    help: 'what firmware is to refuse: signature lists, or an update of dbx as vendors publish it',
  },
  {
    name: 'yes-this-might-brick-my-machine',
    help: 'do without the certificates of Microsoft that sign the option ROMs of cards',
  },
  {
    name: 'name',
    value: 'NAME',
    help: 'directory below loader/keys (default: auto, which the loader can enrol without asking)',
  },
];

/** The options of `plan` by which a machine without a key asks for signatures. */
export const SIGNING_REQUEST: Option = {
  name: 'signing-request',
  value: 'FILE',
  help: 'write down what has to be signed, for espalier sign --request where the key is',
};

export const SIGN_OPTIONS: readonly Option[] = [
  {
    name: 'output',
    value: 'FILE',
    help: 'where the signed program goes (default: in place of FILE), or the signatures (default: standard output)',
  },
  {
    name: 'request',
    value: 'FILE',
    help: 'sign what espalier plan --signing-request wrote on another machine',
  },
  {
    name: 'only',
    value: 'KIND',
    repeatable: true,
    help: 'of a request, sign only kernel, loader, uki, thin or program; repeatable',
  },
  {
    name: 'against',
    value: 'DIR',
    help: 'of a request, compare the programs with their sources below DIR, as / where this machine has the same store',
  },
  {
    name: 'sign-kernels',
    help: 'sign bare kernels too: each then starts with any initrd and any command line under Secure Boot',
  },
  { name: 'yes', help: 'do not ask on the terminal before a request is signed' },
];
