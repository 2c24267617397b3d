/** What boots next, and when the boot loader is replaced. */
import type { Mutant } from '../mutant.ts';

const CONF = 'test/loader/loader-conf.test.ts';
const SALVAGE = 'test/loader/salvage.test.ts';
const UPGRADE = 'test/loader/upgrade.test.ts';
const VERSION = 'test/version.test.ts';
const LOADERS = 'test/plan/loaders.test.ts';

export const loader: readonly Mutant[] = [
  {
    id: 'loader/quoted-value-of-513-bytes',
    file: 'src/loader/loader-conf.ts',
    find: "const text = linesOf(settings, next).map(formatLine).join('');\n  return new TextEncoder()",
    replace:
      "const text = linesOf(settings, next).map((line) => line.concat('').join(' ')).join('');\n  return new TextEncoder()",
    killedBy: { file: SALVAGE, title: /a quoted value that makes the file a byte longer/ },
    why: 'A loader.conf of another tool would stop every run with an error.',
  },
  {
    id: 'loader/sector-off-by-one',
    file: 'src/loader/loader-conf.ts',
    find: 'encode(text).length <= SECTOR;',
    replace: 'encode(text).length <= SECTOR + 1;',
    killedBy: { file: SALVAGE, title: /a plain value that makes the file a byte longer/ },
    why: 'A loader.conf of another tool would stop every run with an error.',
  },
  {
    id: 'loader/conf-not-filled',
    file: 'src/loader/loader-conf.ts',
    find: 'sealed(filled(text, SECTOR - bytes.length))',
    replace: 'sealed(filled(text, 0))',
    killedBy: { file: CONF, title: /the file is exactly one sector/ },
    why: 'The file could not be overwritten as a whole, and power lost then leaves half of it.',
  },
  {
    id: 'loader/settings-override-default',
    file: 'src/loader/loader-conf.ts',
    find: 'return [...ours, ...settings.filter(([key]) => !OURS.includes(key))];',
    replace: 'return [...ours, ...settings];',
    killedBy: { file: CONF, title: /a default or preferred entry among the settings gives way/ },
    why: 'An old default would decide what boots next for ever.',
  },
  {
    id: 'loader/preferred-after-default',
    file: 'src/loader/loader-conf.ts',
    find: "return lastValue(settings, 'preferred') ?? lastValue(settings, 'default');",
    replace: "return lastValue(settings, 'default') ?? lastValue(settings, 'preferred');",
    killedBy: {
      file: 'test/loader/named-next.test.ts',
      title: /what is preferred is named before/,
    },
    why: 'With boot counting a person’s choice would be read as the pattern of all entries.',
  },
  {
    id: 'loader/foreign-fallback-replaced',
    file: 'src/loader/upgrade.ts',
    find: "installed.kind === 'foreign' && place === 'fallback',",
    replace: "installed.kind === 'absent' && place === 'fallback',",
    killedBy: { file: UPGRADE, title: /a foreign fallback is never replaced/ },
    why: 'The only loader of another system on the disk would be lost.',
  },
  {
    id: 'loader/downgrade',
    file: 'src/loader/upgrade.ts',
    find: 'order(installed, source) < 0,',
    replace: 'order(installed, source) !== 0,',
    killedBy: { file: UPGRADE, title: /a newer loader is kept/ },
    why: 'A rollback would put an older boot loader in the place of a newer one.',
  },
  {
    id: 'loader/bad-signature-kept',
    file: 'src/loader/upgrade.ts',
    find: 'applies: ({ signature }) => SIGNATURE_PROBLEMS[signature] !== undefined,',
    replace: 'applies: () => false,',
    killedBy: { file: UPGRADE, title: /a newer loader that firmware would refuse is replaced/ },
    why: 'Firmware would refuse the loader, and the machine would not boot.',
  },
  {
    id: 'loader/numbers-as-text',
    file: 'src/version.ts',
    find: 'compare(left.length, right.length) ||',
    replace: '',
    killedBy: { file: VERSION, title: /255\.9 < 255\.10/ },
    why: 'systemd-boot 1000 would count as older than 257.',
  },
  {
    id: 'loader/pre-release-newer',
    file: 'src/version.ts',
    find: "compareSeparator('~', left, right) ||",
    replace: "compareSeparator('~', right, left) ||",
    killedBy: { file: VERSION, title: /257~rc1 < 257$/ },
    why: 'A release candidate would stay in the place of the release.',
  },
  {
    id: 'loader/pattern-prefix',
    file: 'src/loader/pattern.ts',
    find: 'while (at < text.length || place < places.length) {',
    replace: 'while (place < places.length) {',
    killedBy: {
      file: 'test/loader/pattern.test.ts',
      title: /stars alone decide as a regular expression/,
    },
    why: 'status would name another entry as next than the loader takes.',
  },
  {
    id: 'loader/variable-attributes',
    file: 'src/loader/efi-variables.ts',
    find: 'bytes.subarray(ATTRIBUTES) : undefined',
    replace: 'bytes : undefined',
    killedBy: {
      file: 'test/loader/efi-variables.test.ts',
      title: /Secure Boot is on, off or unknown/,
    },
    why: 'Nobody would be told that Secure Boot refuses unsigned images.',
  },
  {
    id: 'firmware/equal-value-written',
    file: 'src/firmware/variables.ts',
    find: 'if (before && Buffer.compare(before, value) === 0) return false;',
    replace: 'if (before && value.length === 0) return false;',
    killedBy: {
      file: 'test/command/firmware.test.ts',
      title: /next and default name an entry that is there/,
    },
    why: 'Every pass of the watcher would wear out the memory of firmware.',
  },
  {
    id: 'loader/previous-after-the-newer-one',
    file: 'src/plan/loaders.ts',
    find: 'copies: [...previous.written, ...own]',
    replace: 'copies: [...own, ...previous.written]',
    killedBy: { file: LOADERS, title: /is replaced by a later one that ran/ },
    why: 'The newer loader would be its own fallback, and the one that ran would be gone.',
  },
  {
    id: 'loader/previous-never-ran',
    file: 'src/plan/previous-loader.ts',
    find: 'const hasRun = running?.version === version && ',
    replace: 'const hasRun = ',
    killedBy: { file: LOADERS, title: /is none that never ran/ },
    why: 'A loader that starts on no machine would take the place of the one that does.',
  },
];
