import { test } from 'node:test';
import { textCases } from './corpus-texts.ts';
import { aProgram } from './measured.ts';
import { besiege } from './siege.ts';

const measure = aProgram();

for (const hostile of textCases) test(hostile.name, (t) => besiege(t, hostile, measure));
