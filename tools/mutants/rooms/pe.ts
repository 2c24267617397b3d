/** Bounds and digests of programs. */
import type { Mutant } from '../mutant.ts';

const WHOLE = 'test/pe/whole.test.ts';
const PE = 'test/pe/pe.test.ts';
const TABLE = 'test/pe/certificate-table.test.ts';
const AUTHENTICODE = 'test/pe/authenticode.test.ts';

export const pe: readonly Mutant[] = [
  {
    id: 'pe/section-one-byte-behind',
    file: 'src/pe/pe.ts',
    find: 'if (end > pe.fileSize) {',
    replace: 'if (end > pe.fileSize + 1) {',
    killedBy: { file: WHOLE, title: /a section that ends with the file is whole/ },
    why: 'An image that lost its last byte would count as whole.',
  },
  {
    id: 'pe/sections-overlap',
    file: 'src/pe/pe.ts',
    find: 'if (offset < end) throw',
    replace: 'if (offset + 1 < end) throw',
    killedBy: { file: WHOLE, title: /a section that begins one byte before/ },
    why: 'Two sections would share bytes, and what is measured is not what runs.',
  },
  {
    id: 'pe/section-count',
    file: 'src/pe/pe.ts',
    find: 'if (count > MAX_SECTIONS)',
    replace: 'if (count > 65_535)',
    killedBy: { file: PE, title: /what cannot be whole is refused, each with its own words/ },
    why: 'A hostile file could make every run slow.',
  },
  {
    id: 'pe/section-limit',
    file: 'src/pe/pe.ts',
    find: 'if (size > limit)\n    throw new EspError(',
    replace: 'if (size > 2 * limit)\n    throw new EspError(',
    killedBy: { file: PE, title: /headers are read as they were written/ },
    why: 'A section of any size would be read into memory.',
  },
  {
    id: 'pe/virtual-size-trusted',
    file: 'src/pe/pe.ts',
    find: 'Math.min(section.virtualSize, section.sizeOfRawData)',
    replace: 'section.virtualSize',
    killedBy: { file: PE, title: /a section of more virtual than raw bytes yields its raw bytes/ },
    why: 'Bytes of the next section would be read as the command line.',
  },
  {
    id: 'pe/short-read-passes',
    file: 'src/byte-source.ts',
    find: 'if (bytes.length === length) return bytes;',
    replace: 'return bytes;',
    killedBy: { file: PE, title: /a source that ends before its own size/ },
    why: 'A file that shrinks while it is read would be installed cut short.',
  },
  {
    id: 'pe/checksum-signed',
    file: 'src/pe/authenticode.ts',
    find: 'between(pe.checksumOffset + CHECKSUM_SIZE, pe.certificateEntryOffset),\n    // 7.',
    replace: 'between(pe.checksumOffset, pe.certificateEntryOffset),\n    // 7.',
    killedBy: { file: AUTHENTICODE, title: /the digest covers everything but the checksum/ },
    why: 'Firmware would refuse every image that we sign.',
  },
  {
    id: 'pe/bytes-behind-table',
    file: 'src/pe/authenticode.ts',
    find: 'certificateTable.size === 0 || end === fileSize) return',
    replace: 'certificateTable.size === 0 || end <= fileSize) return',
    killedBy: { file: AUTHENTICODE, title: /a certificate table that is not the end of the file/ },
    why: 'Bytes that no signature covers could be added to a signed image.',
  },
  {
    id: 'pe/sections-in-table-order',
    file: 'src/pe/pe.ts',
    find: '.sort((a, b) => a.offset - b.offset);',
    replace: ';',
    killedBy: { file: AUTHENTICODE, title: /sections out of file order are hashed/ },
    why: 'Images of some linkers would be signed with a digest that firmware does not find.',
  },
  {
    id: 'pe/certificate-entry-too-long',
    file: 'src/pe/certificate-table.ts',
    find: '|| length > left)',
    replace: '|| length > left + 8)',
    killedBy: { file: TABLE, title: /an entry that does not fit its table is refused/ },
    why: 'A damaged table would be read beyond its end.',
  },
  {
    id: 'pe/signature-not-aligned',
    file: 'src/pe/certificate-table.ts',
    find: 'const padding = roundUp(old.size, ENTRY_ALIGNMENT) - old.size;',
    replace: 'const padding = 0;',
    killedBy: { file: TABLE, title: /a last entry without its padding is padded before the next/ },
    why: 'Firmware would not find the second signature of a kernel.',
  },
  {
    id: 'pe/signature-kind-not-asked',
    file: 'src/pe/certificate-table.ts',
    find: 'if (isOurs && view.getUint16(at + 6, true) === PKCS_SIGNED_DATA)',
    replace: 'if (isOurs)',
    killedBy: { file: TABLE, title: /every PKCS#7 entry is read, and entries of other kinds/ },
    why: 'An entry of another kind would be judged as a signature.',
  },
  {
    id: 'pe/subsystem-not-asked',
    file: 'src/pe/program.ts',
    find: 'subsystem === APPLICATION ||',
    replace: 'subsystem >= 0 ||',
    killedBy: { file: 'test/pe/program.test.ts', title: /what is no application does not start/ },
    why: 'A kernel that firmware does not start would be made the default.',
  },
];
