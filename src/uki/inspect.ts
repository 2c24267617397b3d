/** Shows an image as `ukify inspect --json` does. */
import { type ByteSource, readRange, withoutPadding } from '../byte-source.ts';
import type { Digest } from '../digest.ts';
import { contentRange, parsePe, readSection, type Section } from '../pe/pe.ts';
import { hasPrivateKey } from '../secureboot/private-key.ts';
import { findKnown, isSectionName, splitProfiles } from './section.ts';

/** One section: its size, its digest, and its text if it is text. */
export interface SectionReport {
  readonly size: number;
  readonly sha256: Digest;
  readonly text?: string;
}

/** Sections by name. A section that may repeat is a list. */
export interface ProfileReport {
  readonly [section: `.${string}`]: SectionReport | readonly SectionReport[];
}

/** The base's sections, and the profiles behind it, if it has any. */
export interface UkiReport extends ProfileReport {
  readonly _profiles?: readonly ProfileReport[];
  /** What firmware, stub or loader will not take as it is meant; ukify shows none. */
  readonly _findings?: readonly string[];
}

/** Returns the SHA-256 of bytes that arrive in pieces. */
export type HashChunks = (chunks: Iterable<Uint8Array>) => Digest;

/** Longer text is shown by its digest alone. In bytes. */
const MAX_TEXT = 1024 * 1024;
/** ukify shows it, although systemd-stub does not know it. */
const SOFTWARE_BILL = '.sbom';

/** A section of an image by its name, in the order of the section table. */
export type NamedReport = readonly [name: string, report: SectionReport];

/**
 * Returns the sections of an image, without holding one in memory.
 * @param options.shown the names of the sections to return; by default those that ukify shows
 * @throws {PE_MALFORMED} when the image is not whole
 */
export function inspectSections(
  source: ByteSource,
  hashChunks: HashChunks,
  {
    name,
    shown = isShown,
  }: { readonly name?: string; readonly shown?: (name: string) => boolean } = {},
): readonly NamedReport[] {
  return parsePe(source, name)
    .sections.filter((section) => shown(section.name))
    .map((section) => [section.name, reportSection(source, section, hashChunks)]);
}

function isShown(name: string): boolean {
  return isSectionName(name) || name === SOFTWARE_BILL;
}

/** Returns sections in the shape of `ukify inspect --json` (systemd 262), profile by profile. */
export function ukiReport(sections: readonly NamedReport[]): UkiReport {
  const [base, ...profiles] = splitProfiles(
    sections.map(([name, report]) => ({ name, report })),
  ).map(profileReport);
  return profiles.length > 0 ? { ...base, _profiles: profiles } : { ...base };
}

function profileReport(
  sections: readonly { readonly name: string; readonly report: SectionReport }[],
): ProfileReport {
  const byName = Map.groupBy(sections, ({ name }) => name);
  return Object.fromEntries(
    [...byName].flatMap(([name, found]) => {
      const [first, ...more] = found.map(({ report }) => report);
      if (first === undefined) return [];
      const isList = more.length > 0 || findKnown(name)?.repeatable === true;
      return [[name, isList ? [first, ...more] : first]];
    }),
  );
}

/** Returns sections as lines of text, in the words of `ukify inspect`. */
export function formatSections(sections: readonly NamedReport[]): string {
  return sections
    .flatMap(([name, { size, sha256, text }]) => [
      `${printable(name)}:`,
      `  size: ${size} bytes`,
      `  sha256: ${sha256}`,
      ...(text === undefined ? [] : ['  text:', indented(printable(text.trimEnd()))]),
    ])
    .join('\n');
}

function indented(text: string): string {
  return text.replace(/^(?=.*\S)/gm, '    ');
}

/** Removes terminal control codes from text: the image is untrusted. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, '0');
    return `\\x${code}`;
  });
}

function reportSection(
  source: ByteSource,
  section: Section,
  hashChunks: HashChunks,
): SectionReport {
  const range = contentRange(section);
  const report = { size: range.size, sha256: hashChunks(readRange(source, range)) };
  const isText = findKnown(section.name)?.text === true && range.size <= MAX_TEXT;
  return isText ? { ...report, text: textOf(readSection(source, section, MAX_TEXT)) } : report;
}

/** What is shown in the place of a key that somebody took for a public one. */
const HIDDEN = '(a private key, which is not shown)';

/** Returns which of the sections hold what should never be in an image. */
export function contentFindings(sections: readonly NamedReport[]): readonly string[] {
  return sections.flatMap(([name, { text }]) =>
    text === HIDDEN
      ? [`section ${JSON.stringify(name)} holds a private key: whoever has the image has it`]
      : [],
  );
}

/** Without the padding; a NUL inside is shown, as it hides what follows from some readers. */
function textOf(bytes: Uint8Array): string {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const text = decoder.decode(withoutPadding(bytes)).replaceAll('\0', '\\0');
    return hasPrivateKey(text) ? HIDDEN : text;
  } catch {
    return '(not valid UTF-8)';
  }
}
