/** Which partitions are meant, and that all is read again under the lock. */
import type { Mutant } from '../mutant.ts';

const ROOTS = 'test/volumes/esp-roots.test.ts';
const VOLUMES = 'test/volumes/volumes.test.ts';
const TREE = 'test/inspection/boot-tree.test.ts';
const LOCK = 'test/volumes/esp-lock.test.ts';
const PARTITION = 'test/volumes/xbootldr.test.ts';

export const volumes: readonly Mutant[] = [
  {
    id: 'pass/profiles-not-read-again',
    file: 'src/pass/pass.ts',
    find: 'const survey = await wants.renewed();',
    replace: 'const survey = wants.known();',
    killedBy: {
      file: 'test/command/under-the-lock.test.ts',
      title: /a generation that is made while the lock is waited for/,
    },
    why: 'A run that waited would take back what the newer run before it installed.',
  },
  {
    id: 'volumes/mirror-stops-primary',
    file: 'src/volumes/esp-roots.ts',
    find: 'if (esps[0]?.failure && esps.every(({ failure }) => failure)) throw',
    replace: 'if (esps[0]?.failure || esps.some(({ failure }) => failure)) throw',
    killedBy: { file: ROOTS, title: /that cannot be used are told, and stop no other/ },
    why: 'A mirror that is unplugged would keep the primary ESP from being updated.',
  },
  {
    id: 'volumes/esp-twice',
    file: 'src/volumes/esp-roots.ts',
    find: 'const esps = [...new Map(found.map((esp) => [esp.root, esp])).values()];',
    replace: 'const esps = found;',
    killedBy: { file: ROOTS, title: /count once, also through a link/ },
    why: 'One ESP would be written twice in a run.',
  },
  {
    id: 'volumes/primary-not-required',
    file: 'src/volumes/esp-roots.ts',
    find: 'if (esps[0]?.failure) throw esps[0].failure;\n  return esps.map',
    replace: 'return esps.map',
    killedBy: { file: ROOTS, title: /are nothing without the primary, however good the mirror/ },
    why: 'A verb that needs the primary ESP would work on a directory that is none.',
  },
  {
    id: 'volumes/same-file-system',
    file: 'src/volumes/volumes.ts',
    find: 'if (one?.device === other?.device && (!plain || one?.inode === other?.inode)) {',
    replace: 'if (one?.device === other?.device && one?.inode === other?.inode) {',
    killedBy: { file: VOLUMES, title: /are two directories of one file system/ },
    why: 'Entries would be written where the loader does not look for XBOOTLDR.',
  },
  {
    id: 'volumes/one-inside-the-other',
    file: 'src/volumes/volumes.ts',
    find: '{xbootldr}/`.startsWith(`',
    replace: '{xbootldr}/`.endsWith(`',
    killedBy: { file: VOLUMES, title: /are one that is mounted inside the other/ },
    why: 'Files of one partition would hide behind the mount point of the other.',
  },
  {
    id: 'volumes/esp-emptied-unread',
    file: 'src/volumes/volumes.ts',
    find: 'if (plain || isRead(esp, xbootldr, context)) return { root: esp };',
    replace: 'return { root: esp };',
    killedBy: { file: VOLUMES, title: /stay while nobody can tell whether the loader reads/ },
    why: 'The entries that boot would be removed though the loader finds no others.',
  },
  {
    id: 'volumes/former-must-be-there',
    file: 'src/volumes/volumes.ts',
    find: 'return expected(error);',
    replace: 'throw error;',
    killedBy: { file: VOLUMES, title: /keeps nobody from booting when it is not there/ },
    why: 'A partition that was given up would stop every update.',
  },
  {
    id: 'volumes/foreign-references',
    file: 'src/inspection/boot-tree.ts',
    find: '({ ...entry, references: [] }));',
    replace: '({ ...entry }));',
    killedBy: { file: TREE, title: /knows nothing of the files that an entry elsewhere names/ },
    why: 'A kernel on XBOOTLDR would be kept for an entry that means another file.',
  },
  {
    id: 'volumes/space-of-the-wrong-partition',
    file: 'src/inspection/boot-tree.ts',
    find: 'const [esp, space] = [root, xbootldr ?? root]',
    replace: 'const [space, esp] = [root, xbootldr ?? root]',
    killedBy: { file: TREE, title: /counts the space of each partition by itself/ },
    why: 'An update would be planned with the space of the other partition.',
  },
  {
    id: 'volumes/locks-in-any-order',
    file: 'src/volumes/esp-lock.ts',
    find: '[...mounted].sort(([, a], [, b]) => (keyOf(a) < keyOf(b) ? -1 : 1));',
    replace: '[...mounted];',
    killedBy: { file: LOCK, title: /whatever order they are named in, they are locked in one/ },
    why: 'Two runs could wait for each other until both give up.',
  },
  {
    id: 'volumes/lock-left-behind',
    file: 'src/volumes/esp-lock.ts',
    find: 'using locks = new DisposableStack();',
    replace: 'const locks = new DisposableStack();',
    killedBy: { file: LOCK, title: /when one of them is held, none stays locked/ },
    why: 'After a run that had to give up, the watcher would keep others from one partition.',
  },
  {
    id: 'volumes/another-disk',
    file: 'src/volumes/xbootldr.ts',
    find: 'if (here === there) return true;',
    replace: 'return true;',
    killedBy: { file: PARTITION, title: /one on another disk is refused before anything/ },
    why: 'Entries would be written to a partition that systemd-boot does not read.',
  },
];
