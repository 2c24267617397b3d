/** Lists of keys and signed writes of them. */
import type { Mutant } from '../mutant.ts';

const LISTS = 'test/secureboot/signature-list.test.ts';
const WRITES = 'test/secureboot/authenticated-variable.test.ts';

export const secureboot: readonly Mutant[] = [
  {
    id: 'secureboot/list-behind-end',
    file: 'src/secureboot/signature-list.ts',
    find: 'if (size < HEADER.end || size > left) {',
    replace: 'if (size < HEADER.end) {',
    killedBy: { file: LISTS, title: /a file that ends before its list is malformed/ },
    why: 'A db that is cut short would be read as one that trusts us.',
  },
  {
    id: 'secureboot/half-signatures',
    file: 'src/secureboot/signature-list.ts',
    find: '|| (list.length - first) % size !== 0)',
    replace: ')',
    killedBy: { file: LISTS, title: /a file that has a piece of a signature is malformed/ },
    why: 'Half a certificate would be taken for a trusted one.',
  },
  {
    id: 'secureboot/header-skipped',
    file: 'src/secureboot/signature-list.ts',
    find: 'const first = HEADER.end + view.getUint32(HEADER.headerSize, true);',
    replace: 'const first = HEADER.end;',
    killedBy: { file: LISTS, title: /a list of several digests with a header/ },
    why: 'Digests that firmware forbids would be read at the wrong place and not be found.',
  },
  {
    id: 'secureboot/append-replaces',
    file: 'src/secureboot/authenticated-variable.ts',
    find: "mode === 'append' ? ATTRIBUTES | APPEND : ATTRIBUTES",
    replace: 'ATTRIBUTES',
    killedBy: {
      file: WRITES,
      title: /what is signed to be appended is not what is signed to replace/,
    },
    why: 'Firmware would refuse the write that adds the next certificate.',
  },
  {
    id: 'secureboot/month-from-zero',
    file: 'src/secureboot/efi-time.ts',
    find: 'date.getUTCMonth() + 1',
    replace: 'date.getUTCMonth()',
    killedBy: { file: WRITES, title: /a write comes back from its bytes/ },
    why: 'Firmware would refuse every key that is enrolled in January.',
  },
  {
    id: 'secureboot/signature-end',
    file: 'src/secureboot/authenticated-variable.ts',
    find: 'if (end < HEADER.signature || end > bytes.length) {',
    replace: 'if (end < HEADER.signature) {',
    killedBy: { file: WRITES, title: /a signature that claims to be longer than the file/ },
    why: 'A file that is cut short would be handed to firmware as a set of keys.',
  },
];
