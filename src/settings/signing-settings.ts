/** The settings that say who signs, and what is installed without a signature. */
import * as v from 'valibot';
import { SURVEYING, setting } from './setting.ts';
import { flag, path, words } from './value-schemas.ts';

export const SIGNING = {
  certificate: setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'PEM certificate to sign for',
    verbs: [...SURVEYING, 'verify', 'sign'],
    reach: 'read',
  }),
  'private-key': setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'PEM private key to sign with: RSA of 2048, 3072 or 4096 bits',
    verbs: [...SURVEYING, 'sign'],
    alternatives: 'key',
    reach: 'read',
  }),
  'signing-command': setting({
    value: 'COMMAND',
    schema: v.optional(words),
    help: 'signs where the key is, instead of --private-key: SHA-256 digest in, RSA signature out',
    verbs: [...SURVEYING, 'sign'],
    alternatives: 'key',
    // Only its owner knows what the command runs and opens, so the owner's drop-in binds that.
    reach: 'nothing',
  }),
  'signing-batch': setting({
    schema: v.optional(flag, false),
    help: 'one run of --signing-command signs all: lines of hexadecimal in, lines of base64 out',
    verbs: [...SURVEYING, 'sign'],
    reach: 'nothing',
  }),
  signatures: setting({
    value: 'FILE',
    schema: v.optional(path),
    help: 'signatures that another machine made, instead of --private-key: see plan --signing-request',
    verbs: SURVEYING,
    alternatives: 'key',
    reach: 'read',
  }),
  'allow-unsigned': setting({
    schema: v.optional(flag, false),
    help: 'install without signatures',
    verbs: SURVEYING,
    reach: 'nothing',
  }),
  'allow-insecure-key': setting({
    schema: v.optional(flag, false),
    help: 'use a private key that others can read or replace',
    verbs: [...SURVEYING, 'sign', 'keys enroll', 'keys status'],
    reach: 'nothing',
  }),
};
