/** The watcher: its loop, its notices, and whose choice stands. */
import type { Mutant } from '../mutant.ts';

const LOOP = 'test/watch/reconcile.test.ts';
const NOTICES = 'test/service/notices.test.ts';
const FOLLOW = 'test/service/follow.test.ts';

export const service: readonly Mutant[] = [
  {
    id: 'service/choice-after-away',
    file: 'src/service/follow.ts',
    find: 'chosen !== undefined && (!wasAway || chosen === next);',
    replace: 'chosen !== undefined;',
    killedBy: {
      file: FOLLOW,
      title: /does not stand when the ESP was away and comes back saying something new/,
    },
    why: 'An old copy of the ESP that is plugged in would decide what boots next.',
  },
  {
    id: 'service/choice-never-stands',
    file: 'src/service/follow.ts',
    find: 'return isChoice ? { followed, chosen } : undefined;',
    replace: 'return undefined;',
    killedBy: { file: FOLLOW, title: /stands while the profiles stay as they are/ },
    why: 'The watcher would take back what a person chose to boot next.',
  },
  {
    id: 'service/away-forgotten',
    file: 'src/service/follow.ts',
    find: "memory.wasAway || error.code === 'ESP_NOT_MOUNTED'",
    replace: 'memory.wasAway',
    killedBy: { file: FOLLOW, title: /without its ESP is not settled, and forgets nothing/ },
    why: 'A disk that comes back would be taken for the one that went.',
  },
  {
    id: 'service/unfinished-is-settled',
    file: 'src/service/follow.ts',
    find: 'outcomes.every(({ failure }) => !failure);',
    replace: 'outcomes.length > 0;',
    killedBy: { file: FOLLOW, title: /while a hook holds the lock is not settled/ },
    why: 'An ESP that failed would not be tried again before the next rescan.',
  },
  {
    id: 'watch/poke-during-pass-lost',
    file: 'src/watch/reconcile.ts',
    find: 'else if (dirty) schedule(timing.debounce);',
    replace: '',
    killedBy: { file: LOOP, title: /pokes during a pass get one more pass after it/ },
    why: 'A generation made during a pass would wait for an hour.',
  },
  {
    id: 'watch/retry-does-not-grow',
    file: 'src/watch/reconcile.ts',
    find: "failures = outcome === 'settled' ? 0 : failures + 1;",
    replace: "failures = outcome === 'settled' ? 0 : 1;",
    killedBy: { file: LOOP, title: /a failure is tried again twice as late each time/ },
    why: 'A full ESP would keep the machine busy for ever.',
  },
  {
    id: 'watch/no-rescan',
    file: 'src/watch/reconcile.ts',
    find: 'else if (timing.rescan > 0) schedule(timing.rescan);',
    replace: '',
    killedBy: { file: LOOP, title: /a settled world is looked at again after the rescan/ },
    why: 'A file that went missing on the ESP would never come back.',
  },
  {
    id: 'watch/stop-does-not-wait',
    file: 'src/watch/reconcile.ts',
    find: 'if (!running) end();\n      return ended;',
    replace: 'end();\n      return ended;',
    killedBy: { file: LOOP, title: /stop waits for the pass that runs/ },
    why: 'The service would be killed in the middle of a write.',
  },
  {
    id: 'service/notice-told-again',
    file: 'src/service/notices.ts',
    find: 'if (!known.has(key)) log[level](fields, text);',
    replace: 'log[level](fields, text);',
    killedBy: { file: NOTICES, title: /is told when it begins and when it is over/ },
    why: 'The journal would fill with one line for each pass.',
  },
  {
    id: 'service/lock-is-alarm',
    file: 'src/service/notices.ts',
    find: "code === 'LOCKED' ? 'info' : 'error'",
    replace: "'error'",
    killedBy: { file: NOTICES, title: /is no alarm when a hook holds the lock/ },
    why: 'Every nixos-rebuild would raise an alarm.',
  },
];
