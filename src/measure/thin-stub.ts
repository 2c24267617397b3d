/** What the stub of a thin image measures for a section that names a file. That changed with its versions. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { findSection, type Pe, readSection } from '../pe/pe.ts';

/** What the stub says to firmware of itself, since 0.4. */
const NAME = /lanzastub (\d+)\.(\d+)\.\d+/;
/** In bytes: many times what the constants of a stub take. */
const MAX_CONSTANTS = 1024 * 1024;

/**
 * Returns whether the stub in a thin image measures the content of a file, as it does from 1.1 on, or the
 * section that names it. A stub without a version counts as a new one.
 * @param path what errors name
 * @throws {CONFIG_INVALID} for a stub of before 1.0: it measured sections in the file's order, without their names
 */
export function measuresNamedFiles(source: ByteSource, pe: Pe, path: string): boolean {
  const constants = findSection(pe, '.rdata');
  if (constants === undefined || constants.sizeOfRawData > MAX_CONSTANTS) return true;
  const text = new TextDecoder('latin1').decode(readSection(source, constants, MAX_CONSTANTS));
  const [name, major, minor] = NAME.exec(text) ?? [];
  if (name !== undefined && Number(major) < 1) {
    throw new EspError('CONFIG_INVALID', `${path}: what ${name} measures is not predicted`, {
      hint: 'a stub of lanzaboote from 1.0 on measures as the specification of UKIs says',
    });
  }
  return name === undefined || Number(major) > 1 || Number(minor) > 0;
}
