import { test } from 'node:test';
import { kindCases } from './corpus-kinds.ts';
import { aProgram } from './measured.ts';
import { besiege } from './siege.ts';

const measure = aProgram();

for (const hostile of kindCases) test(hostile.name, (t) => besiege(t, hostile, measure));
