import { test } from 'node:test';
import { crowdCases } from './corpus-crowds.ts';
import { aProgram } from './measured.ts';
import { besiege } from './siege.ts';

const measure = aProgram(false);

for (const hostile of crowdCases) test(hostile.name, (t) => besiege(t, hostile, measure));
