/** Chooses the format of entries, finds the stub for its images, and checks that it starts them. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { findSection, parsePe, readSection } from '../pe/pe.ts';
import type { Format, PlainFormat, StubFormat } from '../plan/format/format.ts';
import { AUTO, type FormatName, formatOf, INSTEAD } from '../plan/formats.ts';
import type { Settings } from '../settings/settings.ts';
import { compareVersions } from '../version.ts';

/** A format, and why it is this one where the settings leave that open. */
interface Choice {
  readonly name: FormatName;
  readonly because: string;
  /** Which takes its place where it saves too little. */
  readonly otherwise?: FormatName;
  readonly warnings: readonly string[];
}

/** The format of the settings, and its stub if it makes images. */
export type ChosenFormat = Choice &
  (
    | { readonly format: PlainFormat; readonly stub?: undefined }
    | { readonly format: StubFormat; readonly stub: string }
  );

/**
 * Returns the format with its stub: the one in the settings, else systemd's `own`, unless the
 * format needs another.
 * @throws {CONFIG_INVALID} when the settings name none and systemd's own cannot be used, or when the
 * format cannot have a section of the settings
 */
export function chooseFormat(settings: Settings, own: string, disk: Disk): ChosenFormat {
  const isOpen = settings.format === 'auto';
  const name = settings.format === 'auto' ? AUTO.first : settings.format;
  const format = formatOf(name);
  const excluded = excludedSection(format, settings);
  if (excluded !== undefined && !isOpen) {
    throw new EspError('CONFIG_INVALID', `--format ${name}: ${excluded}`, {
      hint: 'leave the section out, or use --format uki',
    });
  }
  const stub = stubFor(format, settings, own);
  const problem = excluded ?? (stub && tooOld(format, stub, disk));
  if (problem !== undefined) {
    const warnings = isOpen ? [] : [`${problem}: entries are made as ${INSTEAD}`];
    return withFormat({ name: INSTEAD, because: problem, warnings }, stub);
  }
  const because = 'the settings say so';
  const warnings = stub === undefined ? [] : unfitStub(format, stub, disk);
  return withFormat(
    { name, because, warnings, ...(isOpen ? { otherwise: AUTO.second } : {}) },
    stub,
  );
}

/** Returns a choice with the record of its format. */
export function withFormat(choice: Choice, stub: string | undefined): ChosenFormat {
  const format = formatOf(choice.name);
  if (format.stub === undefined) return { ...choice, format };
  if (stub === undefined) throw new RangeError('"stub" expected for a format with images');
  return { ...choice, format, stub };
}

function excludedSection({ excludes }: Format, { sections }: Settings): string | undefined {
  const found = excludes?.sections.find((name) => Object.hasOwn(sections, name));
  return found && `[sections] sets ${found}, and ${excludes?.because}`;
}

function stubFor(
  format: Format,
  { format: name, stub }: Settings,
  own: string,
): string | undefined {
  if (format.stub === undefined) return undefined;
  if (stub !== undefined) return stub;
  const { mustBeNamed } = format.stub;
  if (mustBeNamed === undefined) return own;
  throw new EspError('CONFIG_INVALID', `--format ${name}: there is no stub`, mustBeNamed);
}

/** Says why a stub starts no image of a format. What is not there is told by whoever reads it. */
function tooOld({ stub: rule }: Format, stub: string, disk: Disk): string | undefined {
  if (rule?.since === undefined || disk.stat(stub) === undefined) return undefined;
  const { version, because } = rule.since;
  const [, found] = /systemd-stub (\S+)/.exec(sectionText(stub, '.sdmagic', disk) ?? '') ?? [];
  if (found !== undefined && compareVersions(found, version) >= 0) return undefined;
  return `${stub} is ${found === undefined ? 'no stub of systemd' : `of systemd ${found}`} and ${because}`;
}

/** Warns of a stub that would start no image of the format. */
function unfitStub({ stub: rule }: Format, stub: string, disk: Disk): readonly string[] {
  const unfit = rule?.unfit;
  if (unfit === undefined || disk.stat(stub) === undefined) return [];
  const text = sectionText(stub, unfit.section, disk);
  return text?.includes(unfit.text) ? [`${stub} ${unfit.because}`] : [];
}

/** In bytes. The most that is read of a section that describes a program. */
const LIMIT = 4096;

function sectionText(path: string, name: string, disk: Disk): string | undefined {
  using source = disk.open(path);
  const section = findSection(parsePe(source, path), name);
  if (!section || section.virtualSize > LIMIT) return undefined;
  return new TextDecoder().decode(readSection(source, section, LIMIT));
}
