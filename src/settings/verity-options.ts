/** The options of `verity`. They are apart from its code, so that the help loads nothing else. */
import type { Option } from './option.ts';
import { optionsNamed } from './verb-options.ts';

const HASH_OFFSET: Option = {
  name: 'hash-offset',
  value: 'BYTES',
  help: 'where the hash area begins in HASH, a multiple of 512 (default: 0)',
};

const STRICT: Option = {
  name: 'strict',
  help: 'fail when DATA end within a block, instead of a warning that their tail is not covered',
};

const ROOT_HASH_FILE = { name: 'root-hash-file', value: 'FILE' } as const;

export const VERITY_FORMAT_OPTIONS: readonly Option[] = [
  { name: 'data-block-size', value: 'BYTES', help: 'from 512 to 524288 (default: 4096)' },
  { name: 'hash-block-size', value: 'BYTES', help: 'from 512 to 524288 (default: 4096)' },
  { name: 'data-blocks', value: 'N', help: 'blocks of DATA to cover (default: all)' },
  HASH_OFFSET,
  {
    name: 'hash',
    value: 'ALGORITHM',
    help: 'sha1, sha224, sha256, sha384 or sha512 (default: sha256)',
  },
  { name: 'salt', value: 'HEX|-', help: 'at most 256 bytes, - for none (default: from the seed)' },
  {
    name: 'uuid',
    value: 'UUID',
    help: 'of the hash area (default: from the seed or the root hash)',
  },
  { name: 'seed', value: 'UUID', help: 'derive salt and UUID from it, as systemd-repart does' },
  { ...ROOT_HASH_FILE, help: 'write the root hash to FILE as well' },
  STRICT,
];

export const VERITY_DUMP_OPTIONS: readonly Option[] = [HASH_OFFSET];

export const VERITY_VERIFY_OPTIONS: readonly Option[] = [
  HASH_OFFSET,
  { ...ROOT_HASH_FILE, help: 'read the root hash from FILE' },
  STRICT,
];

export const VERITY_SIGN_OPTIONS: readonly Option[] = [
  ...optionsNamed('certificate', 'private-key', 'allow-insecure-key'),
  { name: 'of', value: 'root|usr', help: 'which root hash is meant, of a SOURCE with both' },
  { name: 'output', value: 'FILE', help: 'write the signature to FILE, PKCS#7 in DER' },
  { name: 'document', value: 'FILE', help: 'write what a signature partition holds to FILE' },
];
