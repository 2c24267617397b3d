import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRepartDefinition } from '../../src/image/repart-definition.ts';

const read = (text: string) =>
  parseRepartDefinition([{ path: '10.conf', text }], { architecture: 'x86-64' });

test('what a definition has for other programs changes nothing', () => {
  const plain = '[Partition]\nType=root\n';
  assert.deepEqual(read(`${plain}X-Mine=1\n[X-Theirs]\nType=esp\n`), read(plain));
});
