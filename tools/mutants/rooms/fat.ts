/** The FAT in a disk image. */
import type { Mutant } from '../mutant.ts';

const LIFE = 'test/fat/life.test.ts';
const OPEN = 'test/fat/open.test.ts';
const ORDER = 'test/fat/order.test.ts';

export const fat: readonly Mutant[] = [
  {
    id: 'fat/name-before-content',
    file: 'src/fat/ordered-writes.ts',
    find: '    this.#at.table.link(chain);\n    this.#writeTable();',
    replace: '    this.#at.table.link(chain);',
    killedBy: { file: ORDER, title: /content and table are durable before a name/ },
    why: 'A name would lead to clusters that the table on the disk calls free.',
  },
  {
    id: 'fat/no-barrier-before-name',
    file: 'src/fat/ordered-writes.ts',
    find: '      if (next !== undefined) this.barrier();',
    replace: '',
    killedBy: { file: ORDER, title: /a barrier lies between two sectors/ },
    why: 'Two names could have one cluster after a power cut.',
  },
  {
    id: 'fat/early-free',
    file: 'src/fat/ordered-writes.ts',
    find: '    this.#leaving.push(...clusters);',
    replace: '    this.giveBack(clusters);',
    killedBy: {
      file: ORDER,
      title: /clusters of a removed file are written to only after a barrier/,
    },
    why: 'A file whose removal is lost would hold the content of another one.',
  },
  {
    id: 'fat/one-table',
    file: 'src/fat/table.ts',
    find: '    for (let copy = 0; copy < copies; copy++) {\n      for (const sector',
    replace: '    for (let copy = 0; copy < 1; copy++) {\n      for (const sector',
    killedBy: { file: ORDER, title: /both copies of the table are the same/ },
    why: 'fsck.fat would ask which of two tables is right.',
  },
  {
    id: 'fat/cross-links',
    file: 'src/fat/check.ts',
    find: '    if (seen[cluster] === 1) throw',
    replace: '    if (seen[cluster] === 2) throw',
    killedBy: { file: OPEN, title: /two names on one cluster/ },
    why: 'Removing one file would free what another one holds.',
  },
  {
    id: 'fat/in-use',
    file: 'src/fat/volume.ts',
    find: "if (access === 'write' && (boot.isDirty || this.table.isDirty)) throw inUse(name);",
    replace: '',
    killedBy: { file: OPEN, title: /a mark of use in its table/ },
    why: 'A virtual machine that has it mounted would write its own tables over ours.',
  },
  {
    id: 'fat/after-failure',
    file: 'src/fat/ordered-writes.ts',
    find: '    if (this.#failure !== undefined) throw this.#failure.error;',
    replace: '',
    killedBy: { file: LIFE, title: /nothing is written after it/ },
    why: 'A name could lead to a chain that never got to the disk.',
  },
];
