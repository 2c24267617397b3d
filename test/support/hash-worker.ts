/** Does what main.ts does on a thread, and nothing else. Tests start a thread with this file. */
import { serveHashWorker } from '../../src/disk/hash-files.ts';
import { openRaw } from '../../src/process/raw-file.ts';
import { serveBlockThread } from '../../src/verity/block-thread.ts';

if (!(await serveHashWorker())) await serveBlockThread((path) => openRaw(path, 'read'));
