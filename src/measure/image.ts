/** What is measured when an image boots: every extension of PCR 4, 11 and 12 that the image decides. */
import { lastValue, parseLines } from '../bls.ts';
import type { ByteSource } from '../byte-source.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import { parsePe, readSection, type Section } from '../pe/pe.ts';
import { phaseWords } from '../uki/phase.ts';
import { splitProfiles } from '../uki/section.ts';
import { utf16Bytes } from '../utf16.ts';
import { type BankDigests, type CreateHash, digestInBanks } from './bank.ts';
import { kernelForFirmware } from './inner-kernel.ts';
import { measuredSections, memoryOf } from './measured-section.ts';
import {
  BOOT_LOADER_CODE,
  KERNEL_BOOT,
  KERNEL_CONFIG,
  type PcrRecord,
  registerValue,
} from './record.ts';

/** One extension, and what was measured, in words. */
export interface PcrEvent extends PcrRecord {
  readonly event: string;
}

/** How a loader starts an image. */
export interface Start {
  /** Load options: `@N` in front chooses a profile (UKI §Multi-Profile UKIs); absent when none are passed. */
  readonly options?: string;
  /** With Secure Boot, the stub takes no command line from outside when the image has one. */
  readonly secureBoot: boolean;
}

/** A profile of an image, or the whole of an image without profiles. */
export interface MeasuredProfile {
  readonly number: number;
  readonly id: string | undefined;
}

/** An image whose sections are hashed once, however many profiles are asked for. */
export interface MeasuredImage {
  readonly profiles: readonly MeasuredProfile[];
  /**
   * Returns the extensions in their order, register by register.
   * @throws {CONFIG_INVALID} when there is no such profile, or when the hardware decides
   * @throws {PE_MALFORMED}
   */
  eventsOf(start: Start): readonly PcrEvent[];
}

/** The file whose content a stub measures in the place of a section, as the stub of thin images does. */
export type Standing = (section: string) => ByteSource | undefined;

/** In bytes. */
const MAX_PROFILE = 64 * 1024;

/**
 * Opens an image for prediction.
 * @param standing for sections that name a file in the place of holding it
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED}
 */
export function measuredImage(
  source: ByteSource,
  createHash: CreateHash,
  standing: Standing = () => undefined,
): MeasuredImage {
  const pe = parsePe(source);
  const known = new Map<Section, BankDigests>();
  const digest = (chunks: Iterable<Uint8Array>) => digestInBanks(chunks, createHash);
  const contentDigest = (section: Section): BankDigests => {
    const before = known.get(section);
    if (before) return before;
    const file = standing(section.name);
    const digests = digest(file ? whole(file) : memoryOf(source, section));
    known.set(section, digests);
    return digests;
  };
  const kernelEvents = (section: Section) =>
    sectionEvents(section.name, contentDigest(section), createHash);
  // However many profiles are asked for, the whole file is hashed once.
  let hashed: PcrEvent | undefined;
  const wholeImage = () => {
    hashed ??= { ...programEvent(source, createHash), event: 'image' };
    return hashed;
  };
  return {
    profiles: profilesOf(source, pe.sections),
    eventsOf: (start) => {
      const { profile, rest } = takeProfile(start.options ?? '');
      const sections = measuredSections(pe, profile);
      const hasCmdline = sections.some(({ name }) => name === '.cmdline');
      const isTaken = rest !== '' && !(start.secureBoot && hasCmdline);
      const config = (event: string, text: string) =>
        ({ pcr: KERNEL_CONFIG, event, digests: digest([utf16Bytes(text)]) }) as const;
      const linux = sections.find(({ name }) => name === '.linux');
      const inner = start.secureBoot ? undefined : kernelForFirmware(source, pe, linux);
      return [
        wholeImage(),
        ...(inner
          ? [{ ...programEvent(inner, createHash), event: 'kernel, by the firmware' }]
          : []),
        ...sections.flatMap(kernelEvents),
        ...(start.options ? [config('options, by the loader', start.options)] : []),
        ...(profile > 0 ? [config('profile, by the stub', String(profile))] : []),
        ...(isTaken ? [config('command line, by the stub', rest)] : []),
      ];
    },
  };
}

/** Returns what firmware extends PCR 4 by when it starts a program. A signature changes nothing. */
export function programEvent(source: ByteSource, createHash: CreateHash): PcrEvent {
  const digests = digestInBanks(authenticodeDigestInput(source), createHash);
  return { pcr: BOOT_LOADER_CODE, event: 'program', digests };
}

/** Returns the two extensions of a section: its name with a NUL, then its content. */
export function sectionEvents(
  name: string,
  content: BankDigests,
  createHash: CreateHash,
): readonly PcrEvent[] {
  const text = new TextEncoder().encode(`${name}\0`);
  return [
    kernelBoot(`name of ${name}`, digestInBanks([text], createHash)),
    kernelBoot(name, content),
  ];
}

function kernelBoot(event: string, digests: BankDigests): PcrEvent {
  return { pcr: KERNEL_BOOT, event, digests };
}

/**
 * Returns what PCR 11 holds in a phase.
 * @param records what extends it before any phase; those of other registers are passed over
 */
export function valueInPhase(
  phase: string,
  records: readonly PcrRecord[],
  createHash: CreateHash,
): BankDigests {
  const after = [...records, ...phaseEvents(phaseWords(phase), createHash)];
  return registerValue(after, KERNEL_BOOT, createHash);
}

/** Returns the extensions of a phase path, word by word. */
export function phaseEvents(words: readonly string[], createHash: CreateHash): readonly PcrEvent[] {
  return words.map((word) =>
    kernelBoot(`phase ${word}`, digestInBanks([new TextEncoder().encode(word)], createHash)),
  );
}

function* whole(file: ByteSource): Generator<Uint8Array> {
  const step = 1024 * 1024;
  for (let at = 0; at < file.size; at += step) yield file.read(at, step);
}

/** Takes load options apart as systemd-stub does: `@` and a number, then a blank or the end. */
function takeProfile(options: string): { readonly profile: number; readonly rest: string } {
  const [, number, rest = ''] = /^@(\d{1,9})(?: (.*))?$/s.exec(options) ?? [];
  return number === undefined
    ? { profile: 0, rest: options.trim() }
    : { profile: Number(number), rest: rest.trim() };
}

function profilesOf(source: ByteSource, sections: readonly Section[]): readonly MeasuredProfile[] {
  const [, ...profiles] = splitProfiles(sections);
  if (profiles.length === 0) return [{ number: 0, id: undefined }];
  return profiles.map(([first], number) => {
    const text = first ? new TextDecoder().decode(readSection(source, first, MAX_PROFILE)) : '';
    return { number, id: lastValue(parseLines(text, '='), 'ID') };
  });
}
