/** When a file on the ESP is the wanted one, as far as its name, size and header tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownFiles, standing } from '../../src/plan/present.ts';
import { anInventory, aWanted } from './a-plan.ts';

const generation = aWanted({ number: 1, format: 'uki' });
const [entry] = generation.entries;
assert.ok(entry?.file.content.kind === 'uki');
const { content } = entry.file;
const sbat = (size: number) => ({ ...content.sections[0], name: '.sbat', size }) as never;
const wanted = {
  ...entry.file,
  content: { ...content, sections: [...content.sections, sbat(10)] },
};

test('an image whose .sbat has another size is present: the stub’s own is merged into it', () => {
  const { entries } = anInventory({ has: [generation] });
  const sections = [...(entries[0]?.sections ?? []), { name: '.sbat', size: 999 }];
  const found = { ...entries[0], sections } as (typeof entries)[number];
  const own = ownFiles(anInventory({ entries: [found] }));
  assert.deepEqual(standing(wanted, own), { kind: 'present' });
});
