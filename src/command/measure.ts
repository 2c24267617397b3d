/** `measure`: predicts what images and entries make of PCR 4, 11 and 12. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import {
  type Calculated,
  type Calculation,
  calculatedIn,
  formatCalculation,
} from '../measure/calculation.ts';
import {
  type MeasuredImage,
  measuredImage,
  type PcrEvent,
  programEvent,
  valueInPhase,
} from '../measure/image.ts';
import { KERNEL_CONFIG, registerValue } from '../measure/record.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { BANKS, type Bank } from '../uki/pcr-bank.ts';
import { DEFAULT_PHASES, normalizePhases } from '../uki/phase.ts';
import { type BootFile, bootFilesOf } from './boot-files.ts';

const asked = v.object({
  profile: v.optional(v.array(v.pipe(v.string(), v.regex(/^\d{1,9}$/, 'expected a number')))),
  phase: v.optional(v.array(v.string()), [...DEFAULT_PHASES]),
  bank: v.optional(v.array(v.picklist(BANKS, `expected one of ${BANKS.join(', ')}`)), () => [
    ...BANKS,
  ]),
  'secure-boot': v.optional(v.picklist(['on', 'off'], 'expected on or off'), 'on'),
});

/** What to predict. */
interface Asked {
  readonly profiles: readonly number[] | undefined;
  readonly phases: readonly string[];
  readonly banks: readonly Bank[];
  readonly secureBoot: boolean;
}

/** What one start of one image makes of the registers. */
interface Prediction {
  readonly image: string;
  readonly entry?: string;
  readonly profile: number;
  readonly id?: string;
  readonly values: Calculation;
  readonly events: readonly {
    readonly pcr: number;
    readonly event: string;
    readonly digests: Readonly<Partial<Record<Bank, string>>>;
  }[];
}

/** Prints the values of every image and entry that is named. */
export async function measure(invocation: Invocation, context: Context): Promise<number> {
  const { operands, flags, json } = invocation;
  const { profile, phase, bank, 'secure-boot': secureBoot, ...settings } = flags;
  const wanted = readAsked({ profile, phase, bank, 'secure-boot': secureBoot });
  const predictions: Prediction[] = [];
  for (const file of await bootFilesOf(operands, settings, context)) {
    predictions.push(...predict(file, wanted, context));
  }
  const { print } = context;
  if (json)
    print(JSON.stringify({ version: 1, verb: 'measure', boots: predictions }, undefined, 2));
  else for (const one of predictions) print(render(one, predictions.length > 1));
  return 0;
}

function readAsked(flags: RawSettings): Asked {
  const { profile, phase, bank, 'secure-boot': secureBoot } = readFlags(asked, flags, 'measure');
  return {
    profiles: profile?.map(Number),
    phases: normalizePhases(phase),
    banks: BANKS.filter((each) => bank.includes(each)),
    secureBoot: secureBoot === 'on',
  };
}

/** Predicts the starts of an image: that which its entry asks for, or one for each profile. */
function predict(file: BootFile, wanted: Asked, { disk }: Context): readonly Prediction[] {
  try {
    using opened = new DisposableStack();
    const open = (path: string) => opened.use(disk.open(path));
    const before =
      file.loader === undefined
        ? []
        : [{ ...programEvent(open(file.loader), createHash), event: 'loader' }];
    const image = measuredImage(open(file.path), createHash, (section) => {
      const path = file.standing.get(section);
      return path === undefined ? undefined : open(path);
    });
    return startsOf(file, image, wanted.profiles).map((options) => {
      const { secureBoot } = wanted;
      const events = image.eventsOf({ secureBoot, ...(options === '' ? {} : { options }) });
      return prediction(file, image, options, [...before, ...events], wanted);
    });
  } catch (cause) {
    if (!(cause instanceof EspError)) throw cause;
    throw new EspError(cause.code, `${file.path}: it cannot be told what is measured`, {
      cause,
      hint: cause.hint,
    });
  }
}

/** Returns the load options of each start. */
function startsOf(
  { options }: BootFile,
  { profiles }: MeasuredImage,
  numbers: readonly number[] | undefined,
): readonly string[] {
  if (numbers === undefined && options !== undefined) return [options];
  const all = numbers ?? profiles.map(({ number }) => number);
  return all.map((number) => (number === 0 ? '' : `@${number}`));
}

function prediction(
  { path, entry }: BootFile,
  { profiles }: MeasuredImage,
  options: string,
  events: readonly PcrEvent[],
  { phases, banks }: Asked,
): Prediction {
  const number = Number(/^@(\d+)/.exec(options)?.[1] ?? 0);
  const id = profiles.find((profile) => profile.number === number)?.id;
  const config = registerValue(events, KERNEL_CONFIG, createHash);
  const reached = phases.map((phase) => ({
    phase,
    value: valueInPhase(phase, events, createHash),
  }));
  const valuesIn = (bank: Bank): readonly Calculated[] => [
    ...reached.map(({ phase, value }) => calculatedIn(phase, value[bank])),
    { pcr: KERNEL_CONFIG, hash: config[bank] },
  ];
  const only = <T>(of: (bank: Bank) => T) =>
    Object.fromEntries(banks.map((bank) => [bank, of(bank)])) as Partial<Record<Bank, T>>;
  return {
    image: path,
    ...(entry === undefined ? {} : { entry }),
    profile: number,
    ...(id === undefined ? {} : { id }),
    values: only(valuesIn),
    events: events.map(({ pcr, event, digests }) => ({
      pcr,
      event,
      digests: only((bank) => digests[bank]),
    })),
  };
}

function render({ image, entry, profile, id, values }: Prediction, isNamed: boolean): string {
  const named = `# ${entry ?? image} profile ${profile}${id === undefined ? '' : ` (${id})`}`;
  return [...(isNamed ? [named] : []), formatCalculation(values)].join('\n');
}
