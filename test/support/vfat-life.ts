/** Lives a life on /boot, where a FAT is that the kernel itself mounted. Its steps are in /life.json. */
import { readFileSync } from 'node:fs';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { live, Model, type Step } from '../fat/life.ts';

const steps: readonly Step[] = JSON.parse(readFileSync('/life.json', 'utf8'));
const model = new Model();
for (const step of steps) await live(step, nodeDisk(), model);
