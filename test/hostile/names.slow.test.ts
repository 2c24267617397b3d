import { test } from 'node:test';
import { nameCases } from './corpus-names.ts';
import { aProgram } from './measured.ts';
import { besiege } from './siege.ts';

const measure = aProgram();

for (const hostile of nameCases) test(hostile.name, (t) => besiege(t, hostile, measure));
