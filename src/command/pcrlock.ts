/**
 * `pcrlock lock-pe`, `pcrlock lock-uki`: predict what is measured when a program or image starts.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { ByteSource } from '../byte-source.ts';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import type { CreateHash } from '../measure/bank.ts';
import { formatPcrlock, lockPe, lockUki } from '../measure/pcrlock.ts';
import type { PcrRecord } from '../measure/record.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';

/** Prints the records of a program, or writes them to a file. */
export function pcrlockPe(invocation: Invocation, context: Context): Promise<number> {
  return lock(lockPe, invocation, context);
}

/** Prints the records of an image, or writes them to a file. */
export function pcrlockUki(invocation: Invocation, context: Context): Promise<number> {
  const { profile } = readFlags(asked, invocation.flags, 'pcrlock lock-uki');
  const number = profile === undefined ? undefined : Number(profile);
  return lock((source, create) => lockUki(source, create, number), invocation, context);
}

const asked = v.object({
  profile: v.optional(v.pipe(v.string(), v.regex(/^\d{1,9}$/, 'expected a number'))),
});

async function lock(
  recordsOf: (source: ByteSource, create: CreateHash) => readonly PcrRecord[],
  { operands: [file = ''], flags: { pcrlock } }: Invocation,
  { disk, print }: Context,
): Promise<number> {
  using source = disk.open(resolve(file));
  try {
    const text = formatPcrlock(recordsOf(source, createHash));
    if (typeof pcrlock !== 'string') print(text);
    else await disk.replaceText(resolve(pcrlock), `${text}\n`, 'everyone');
    return 0;
  } catch (cause) {
    if (!(cause instanceof EspError)) throw cause;
    throw new EspError(cause.code, `${file}: it cannot be told what is measured`, {
      cause,
      hint: cause.hint,
    });
  }
}
