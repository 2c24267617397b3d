/** `plan --signing-request` and `sign --request` for policies of PCR 11 whose key is on another machine. */

import { hostname } from 'node:os';
import type { Context } from '../context.ts';
import { digestOf } from '../digest.ts';
import { EspError } from '../error.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import { KERNEL_BOOT } from '../measure/record.ts';
import { counted } from '../quantity.ts';
import { misuse } from '../settings/flags.ts';
import type { Settings } from '../settings/settings.ts';
import { commandDigests } from '../signer/command-signer.ts';
import { keyOwner } from '../signer/key-safety.ts';
import {
  formatPolicyRequest,
  formatPolicySignatures,
  readPolicyRequest,
} from '../signer/policy-document.ts';
import {
  loadPolicyKey,
  loadPolicyPublicKey,
  type PolicySigner,
  remotePolicySigner,
} from '../signer/policy-key.ts';
import type { PolicyRule, UnsignedPolicy } from '../survey/policies.ts';
import { printable } from '../terminal/printable.ts';
import { askedBy, requireConsent } from './request-review.ts';

/** Writes down which policies have to be signed elsewhere, before images can be asked for. */
export async function requestPolicies(
  { key, unsigned }: PolicyRule & { readonly unsigned: readonly UnsignedPolicy[] },
  file: string,
  json: boolean,
  { disk, print, now }: Context,
): Promise<void> {
  const policies = unsigned.map(({ entry, policy: { phase, bank, tbs } }) => ({
    ...{ entry, phase, bank },
    pcrs: [KERNEL_BOOT],
    tbs,
  }));
  const origin = { machine: hostname(), since: new Date(now * 1000).toISOString() };
  await disk.replaceText(file, formatPolicyRequest(key.fingerprint, policies, origin), 'everyone');
  const told = { version: 1, verb: 'plan', request: file, policies };
  if (json) print(JSON.stringify(told, undefined, 2));
  else {
    const lines = policies.map(
      ({ entry, phase, bank }) => `  pcr-policy ${entry}, ${phase}, ${bank}`,
    );
    const done = `${file}: ${counted(policies.length, 'policy', 'policies')} to be signed; then give --pcr-signatures, and ask for programs`;
    print([...lines, done].join('\n'));
  }
}

/**
 * Returns a document with the signatures that a request asks for.
 * @throws {KEY_INVALID} when the file is no request, or asks for another key
 * @throws {SIGNER_FAILED}
 */
export async function answerPolicies(
  file: string,
  settings: Settings,
  { show, asks }: { readonly show: (line: string) => void; readonly asks: boolean },
  context: Context,
): Promise<string> {
  const request = readPolicyRequest(file, context.disk);
  const key = signerOf(settings, context);
  if (request.key !== key.fingerprint) {
    throw new EspError(
      'KEY_INVALID',
      `${file}: asks for key ${request.key}, and this one is ${key.fingerprint}`,
      { hint: 'give the key whose public half the other machine installs with' },
    );
  }
  show(askedBy(request));
  for (const { what, entry, phase, bank, tbs } of request.policies) {
    show(`  ${what} ${printable(entry)}, ${printable(phase)}, ${printable(bank)}, ${tbs}`);
  }
  if (asks) await requireConsent(counted(request.policies.length, 'policy', 'policies'));
  const signatures = key.sign(
    request.policies.map(({ entry, tbs }) => ({ name: entry, bytes: Buffer.from(tbs, 'hex') })),
  );
  const digests = request.policies.map(({ digest }) => digest);
  return formatPolicySignatures(
    request.key,
    digests.map((digest, index) => ({
      digest: digestOf(Buffer.from(digest, 'hex')),
      signature: Buffer.from(signatures[index] ?? []).toString('base64'),
    })),
  );
}

function signerOf(settings: Settings, context: Context): PolicySigner {
  const { disk, machine } = context;
  const {
    'pcr-private-key': privateKey,
    'pcr-public-key': publicKey,
    'pcr-signing-command': command,
    'pcr-signing-batch': batch,
  } = settings;
  if (privateKey !== undefined) {
    const allowInsecureKey = settings['allow-insecure-key'];
    requireKeyElsewhere(privateKey, allowInsecureKey, disk);
    return loadPolicyKey({ privateKey, publicKey, allowInsecureKey }, keyOwner(context), disk);
  }
  if (command === undefined || publicKey === undefined) {
    throw misuse(
      'expected --pcr-private-key, or --pcr-signing-command with --pcr-public-key',
      'sign',
    );
  }
  const known = loadPolicyPublicKey(publicKey, disk);
  return remotePolicySigner(known, commandDigests({ command, batch }, known.key, machine));
}
