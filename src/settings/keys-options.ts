/** The options of `keys` and `sign`, apart from their work so that the help costs no more than these tables. */
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
    name: 'yes-this-might-brick-my-machine',
    help: 'do without the certificate of Microsoft that signs the option ROMs of cards',
  },
  {
    name: 'name',
    value: 'NAME',
    help: 'directory below loader/keys (default: auto, which the loader can enrol without asking)',
  },
];

/** Of `plan`: what a machine without a key asks for. */
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
];
