/** Takes a lock, says so, and holds it until it is told to release it or is killed. */
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { acquireLock } from '../../src/transaction/lock.ts';

const [directory = '', key = '', seconds = '0'] = process.argv.slice(2);

const lock = await acquireLock({
  disk: nodeDisk(),
  directory,
  key,
  verb: 'install',
  timeoutSeconds: Number(seconds),
});
process.stdout.write('held\n');
for await (const _ of process.stdin);
lock.release();
