/** What main.ts does on a thread, alone: the entry that tests hand to what starts one. */
import { serveHashWorker } from '../../src/disk/hash-files.ts';
import { openRaw } from '../../src/process/raw-file.ts';
import { serveBlockThread } from '../../src/verity/block-thread.ts';

if (!(await serveHashWorker())) await serveBlockThread((path) => openRaw(path, 'read'));
