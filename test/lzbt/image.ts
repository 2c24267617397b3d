/** What a thin image on an ESP says, read as its stub reads it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe, readSection } from '../../src/pe/pe.ts';
import type { Machine } from '../command/a-machine.ts';

/** The sections that the stub reads: texts, and digests in hexadecimal. */
export interface Thin {
  readonly osrel: string;
  readonly cmdline: string;
  readonly linux: string;
  readonly initrd: string;
  readonly linuxh: string;
  readonly initrdh: string;
}

/** Returns the content of each section of an image by name, in the order of the file. */
export function sectionContents(path: string): Map<string, Buffer> {
  const source = bytesSource(readFileSync(path));
  return new Map(
    parsePe(source, path).sections.map((section) => [
      section.name,
      Buffer.from(readSection(source, section, source.size)),
    ]),
  );
}

/** Reads an image on a machine's ESP. */
export function readThin(machine: Machine, path: string): Thin {
  const sections = sectionContents(join(machine.esp, path));
  const read = (name: string) => {
    const section = sections.get(name);
    if (!section) throw new Error(`${path} has no ${name}`);
    return section;
  };
  return {
    osrel: read('.osrel').toString(),
    cmdline: read('.cmdline').toString(),
    linux: read('.linux').toString(),
    initrd: read('.initrd').toString(),
    linuxh: read('.linuxh').toString('hex'),
    initrdh: read('.initrdh').toString('hex'),
  };
}

/** The path on the ESP that a section names as firmware takes it. */
export function onEsp(text: string): string {
  return text.replace(/^\\/, '').replaceAll('\\', '/');
}
