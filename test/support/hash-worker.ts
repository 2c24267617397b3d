/** What main.ts does on a thread, alone: the entry that tests hand to hashFiles. */
import { serveHashWorker } from '../../src/disk/hash-files.ts';

await serveHashWorker();
