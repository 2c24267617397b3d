/**
 * What the stub of lanzaboote needs of a thin image, without a line of what writes one: firmware lays
 * the image out in memory, and the stub finds its sections there, makes firmware's own text of them,
 * reads the files that they name from the ESP, and hashes them.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the stub starts: a kernel, an initrd, a command line. */
export interface Started {
  readonly kernel: Buffer;
  readonly initrd: Buffer;
  readonly cmdline: string;
}

/** Why the stub starts nothing. */
export class StubError extends Error {}

/** A section as the stub sees it. Where in memory it lies, and its sizes there and in the file, in bytes. */
interface Section {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly rawSize: number;
  readonly rawOffset: number;
}

/**
 * Starts an image from an ESP as the stub does under Secure Boot.
 * @throws {StubError} where the stub gives up
 */
export function startThin(esp: string, image: string): Started {
  const file = readFileSync(join(esp, image));
  const sections = sectionTable(file);
  const memory = loaded(file, sections);
  const bytes = (name: string): Buffer => {
    const section = sections.find((candidate) => candidate.name === name);
    if (!section) throw new StubError(`there is no section ${name}`);
    return memory.subarray(section.address, section.address + section.size);
  };
  const read = (name: string, digest: string): Buffer => {
    const content = readFileSync(onDisk(esp, pathOf(firmwareText(bytes(name), name))));
    const expected = bytes(digest);
    if (expected.length !== 32) throw new StubError(`${digest} is no SHA-256`);
    const actual = createHash('sha256').update(content).digest();
    if (!actual.equals(expected)) throw new StubError(`${name}: its hash does not match`);
    return content;
  };
  return {
    kernel: read('.linux', '.linuxh'),
    initrd: read('.initrd', '.initrdh'),
    cmdline: firmwareText(bytes('.cmdline'), '.cmdline'),
  };
}

/** PE/COFF §Section Table. */
function sectionTable(file: Buffer): Section[] {
  const coff = file.readUInt32LE(0x3c) + 4;
  const first = coff + 20 + file.readUInt16LE(coff + 16);
  return Array.from({ length: file.readUInt16LE(coff + 2) }, (_, index) => {
    const at = first + 40 * index;
    return {
      name: file.toString('latin1', at, at + 8).replace(/\0+$/, ''),
      size: file.readUInt32LE(at + 8),
      address: file.readUInt32LE(at + 12),
      rawSize: file.readUInt32LE(at + 16),
      rawOffset: file.readUInt32LE(at + 20),
    };
  });
}

/** Lays an image out as firmware does: what the file has of a section, and zeros behind it. */
function loaded(file: Buffer, sections: readonly Section[]): Buffer {
  const optional = file.readUInt32LE(0x3c) + 24;
  const memory = Buffer.alloc(file.readUInt32LE(optional + 56));
  file.copy(memory, 0, 0, file.readUInt32LE(optional + 60));
  for (const { address, size, rawSize, rawOffset } of sections) {
    if (address + size > memory.length) throw new StubError('a section leads out of the image');
    file.copy(memory, address, rawOffset, rawOffset + Math.min(size, rawSize));
  }
  return memory;
}

/** Firmware's text has 16 bits for a character, and none of them is NUL (UEFI §Data Types, CHAR16). */
function firmwareText(bytes: Buffer, name: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new StubError(`${name} is no UTF-8`);
  }
  if (/[\0\ud800-\udfff]/.test(text)) throw new StubError(`${name} holds what is no CHAR16`);
  return text;
}

/** What firmware takes for a path: absolute on its volume, with backslashes. */
function pathOf(text: string): string[] {
  if (!text.startsWith('\\') || /["*/:<>?|]/.test(text)) throw new StubError(`no path: ${text}`);
  return text.slice(1).split('\\');
}

/** FAT finds names without regard to case. */
function onDisk(esp: string, parts: readonly string[]): string {
  return parts.reduce((directory, part) => {
    const found = readdirSync(directory).find((name) => name.toLowerCase() === part.toLowerCase());
    if (found === undefined) throw new StubError(`${part} is not there`);
    return join(directory, found);
  }, esp);
}
