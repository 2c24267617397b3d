/** What boots next, what is protected, and in which order it all happens. */
import type { Mutant } from '../mutant.ts';

const PLAN = 'test/plan/plan.test.ts';
const SHARED = 'test/plan/shared-clusters.test.ts';
const COUNTING = 'test/command/counting.test.ts';

export const decision: readonly Mutant[] = [
  {
    id: 'order/entries-before-blobs',
    file: 'src/plan/schedule.ts',
    find: "    ['put', writes('blob', 'manifest')],\n    ['publish', writes('entry')],",
    replace: "    ['publish', writes('entry')],\n    ['put', writes('blob', 'manifest')],",
    killedBy: { file: PLAN, title: /an empty ESP: blobs, entries, loader by loader/ },
    why: 'Power lost in between would leave an entry that names a kernel which is not there.',
  },
  {
    id: 'order/blobs-removed-before-entries',
    file: 'src/plan/schedule.ts',
    find: "    ['remove-entries', removals(late, 'entry', 'extra-entry')],\n    ['remove-blobs', removals(late, 'blob', 'extra-file')],",
    replace:
      "    ['remove-blobs', removals(late, 'blob', 'extra-file')],\n    ['remove-entries', removals(late, 'entry', 'extra-entry')],",
    killedBy: { file: PLAN, title: /a generation is replaced: new names first, old names last/ },
    why: 'Power lost in between would leave an entry that names a kernel which is gone.',
  },
  {
    id: 'order/default-before-entries',
    file: 'src/plan/schedule.ts',
    find: "    ['publish', writes('entry')],",
    replace: "    ...defaultPhases(input, choice.defaults),\n    ['publish', writes('entry')],",
    killedBy: { file: PLAN, title: /a generation is replaced: new names first, old names last/ },
    why: 'Power lost in between would leave a default that is not there.',
  },
  {
    id: 'order/shared-clusters-written',
    file: 'src/plan/schedule.ts',
    find: "kind === 'overwrite' || !shared.has(path)",
    replace: "kind === 'overwrite' || shared.size >= 0",
    killedBy: { file: SHARED, title: /temporary file is not written, although it is wanted/ },
    why: 'Clusters that another name leads to would be freed.',
  },
  {
    id: 'order/conf-overwritten-in-any-size',
    file: 'src/plan/loader-conf-steps.ts',
    find: 'return isSector(loaderConf)\n',
    replace: 'return !isSector(loaderConf)\n',
    killedBy: { file: PLAN, title: /of one sector is overwritten where it lies/ },
    why: 'loader.conf could be half old and half new after power was lost.',
  },
  {
    id: 'order/conf-settings-not-kept',
    file: 'src/plan/loader-conf-steps.ts',
    find: 'isReplaced && !isKept ? [keep] : []',
    replace: 'isReplaced && isKept ? [keep] : []',
    killedBy: {
      file: PLAN,
      title: /of another size is replaced, and what it becomes is beside it/,
    },
    why: 'A person’s settings would be gone when power fails while loader.conf is replaced.',
  },
  {
    id: 'roots/booted',
    file: 'src/plan/roots.ts',
    find: '(booted !== undefined &&',
    replace: '(booted === undefined &&',
    killedBy: { file: PLAN, title: /what runs is known by its command line/ },
    why: 'The system that runs now, and so is known to boot, would lose its entry.',
  },
  {
    id: 'roots/broken',
    file: 'src/plan/roots.ts',
    find: '(broken.has(file.generation) ||',
    replace: '(',
    killedBy: { file: PLAN, title: /a number that cannot be read keeps every entry/ },
    why: 'A generation that cannot be read for a moment would lose its entry.',
  },
  {
    id: 'roots/selected',
    file: 'src/plan/roots.ts',
    find: '      isNamed(file, selected) ||\n',
    replace: '',
    killedBy: { file: PLAN, title: /what was selected is known by its ID, in any case/ },
    why: 'The entry that the machine was booted from would go.',
  },
  {
    id: 'roots/counted',
    file: 'src/plan/roots.ts',
    find: '      isNamed(file, counted) ||\n',
    replace: '',
    killedBy: { file: COUNTING, title: /uki .*the one that is on trial stays/ },
    why: 'An entry would go before anybody could say that it came up.',
  },
  {
    id: 'roots/foreign-references',
    file: 'src/plan/roots.ts',
    find: '...[...roots, ...foreign].flatMap(',
    replace: '...roots.flatMap(',
    killedBy: {
      file: PLAN,
      title: /a root keeps the files that it names, and so does an entry of/,
    },
    why: 'The kernel of another system would be removed.',
  },
  {
    id: 'roots/two-counters',
    file: 'src/plan/roots.ts',
    find: '      doubled.has(file) ||\n',
    replace: '',
    killedBy: {
      file: SHARED,
      title: /stays with the files that it names, although nothing wants it/,
    },
    why: 'A kernel would go that an entry which stays still names.',
  },
  {
    id: 'next/choice-outlives-profiles',
    file: 'src/plan/next-boot.ts',
    find: 'if (standing?.followed !== byProfiles || isUnreachable',
    replace: 'if (standing === undefined || isUnreachable',
    killedBy: {
      file: 'test/service/follow.test.ts',
      title: /ends when the profiles lead to another system/,
    },
    why: 'A new generation would never boot once somebody chose an old one.',
  },
  {
    id: 'next/bad-stays',
    file: 'src/plan/next-boot.ts',
    find: 'const good = failing.has(chosen)',
    replace: 'const good = failing.size < 0',
    killedBy: { file: COUNTING, title: /a target that went bad gives way to the running system/ },
    why: 'Every rebuild would make the entry boot next that never came up.',
  },
  {
    id: 'next/bad-gives-way-to-bad',
    file: 'src/plan/next-boot.ts',
    find: '!failing.has(entry.id) && !isUnreachable(question, entry.id);',
    replace: '!isUnreachable(question, entry.id);',
    killedBy: { file: COUNTING, title: /a target that went bad gives way to the running system/ },
    why: 'Another entry that never came up would take its place.',
  },
  {
    id: 'next/old-loader-prefers',
    file: 'src/plan/loader-default.ts',
    find: 'compareVersions(version, KNOWS_PREFERRED) >= 0 ||',
    replace: 'compareVersions(version, KNOWS_PREFERRED) !== 0 ||',
    killedBy: {
      file: COUNTING,
      title: /a loader that knows no preferred entry boots the right one/,
    },
    why: 'A loader before 260 passes over "preferred" and would boot another entry.',
  },
];
