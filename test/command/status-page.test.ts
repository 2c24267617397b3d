/** The page of `status`: what it answers, in which order, and how wide it is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import stringWidth from 'string-width';
import type { SeenEsp, Status } from '../../src/command/status-document.ts';
import { type PageEsp, type ShownEsp, statusPage } from '../../src/command/status-page.ts';
import { espPath } from '../../src/esp/layout.ts';
import type { MenuEntry } from '../../src/plan/menu.ts';
import { plain } from '../../src/process/styled-text.ts';

const MIB = 1024 * 1024;
const DIGEST = 'afa5tsr4klowgvobahyrj25eo2luj7or3bmetamh35zkrrlftrwq';

function anEntry(number: number, more: Partial<MenuEntry> = {}): MenuEntry {
  const id = `nixos-generation-${number}-${DIGEST}.efi`;
  return {
    id,
    title: `NixOS (Linux 6.12.${number})`,
    version: `Generation ${number}, 2026-11-2${number}`,
    path: espPath(`EFI/Linux/${id}`),
    ...{ size: 60 * MIB, frees: 60 * MIB, generation: number, name: String(number) },
    ...{ default: false, booted: false, pinned: false, counter: undefined },
    ...{ damage: undefined, unsigned: undefined, own: true },
    ...more,
  };
}

const MENU = [anEntry(3, { default: true }), anEntry(2, { booted: true })];

function anEsp(more: Partial<SeenEsp> = {}, menu: readonly MenuEntry[] = MENU): ShownEsp {
  const status: SeenEsp = {
    esp: '/boot',
    bootsNext: menu.find((entry) => entry.default)?.id,
    ...{ nextIsCurrent: true, nextIsBooted: false, entries: menu.length },
    loaders: [
      { path: espPath('EFI/systemd/systemd-bootx64.efi'), is: 'systemd-boot 257.9' },
      { path: espPath('EFI/BOOT/BOOTX64.EFI'), is: 'systemd-boot 257.9' },
    ],
    ...{ damaged: 0, onTrial: 0, bad: 0, nextIsBad: false, nextTriesLeft: undefined },
    ...{ fromProfiles: [], fromPrimary: undefined, notes: [], leftOut: [], findings: [] },
    space: { total: 512 * MIB, free: 300 * MIB, ours: 180 * MIB, roomFor: 4 },
    ...more,
  };
  const [obstacles, copies] = [status.firmware ?? [], status.loaders];
  const facts = { obstacles, copies, overrides: [] };
  return { status, menu, reserve: 64 * MIB, isSecureBoot: false, ...facts };
}

function page(esps: readonly PageEsp[], columns = 80, more: Partial<Status> = {}): string {
  const store = '/nix/store/0c3l1jzq7y0h0xv5l4n4a8m8m5c9b2wp-nixos-system';
  const [booted, current] = [`${store}-2-26.05`, `${store}-3-26.05`];
  const status: Status = {
    ...{ booted, current, bootedIsCurrent: false },
    esps: esps.map((esp) => esp.status),
    ...more,
  };
  return plain(statusPage(status, esps, columns));
}

/** The answer to a question of the page: what stands behind its label, and below. */
function answer(text: string, label: string): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith(`${label}:`));
  const rest = lines.slice(first + 1);
  const end = rest.findIndex((line) => /^\S/.test(line));
  const own = [
    lines[first]?.slice(label.length + 1),
    ...rest.slice(0, end < 0 ? rest.length : end),
  ];
  return own.join('\n');
}

describe('the page of status', () => {
  test('answers in order: does it start, what, is anything to be done, how full is it', () => {
    assert.equal(
      page([anEsp()], 80),
      `\
Starts:     yes, as far as names, sizes and headers tell
            EFI/systemd/systemd-bootx64.efi  systemd-boot 257.9
            EFI/BOOT/BOOTX64.EFI  systemd-boot 257.9
Next:       generation 3, Linux 6.12.3, built 2026-11-23 (as the profile says)
            nixos-generation-3-afa5tsr4….efi
Running:    generation 2 (not what the profile says: restart to run it)
            /nix/store/0c3l1jzq7y0h0xv5l4n4a8m8m5c9b2wp-nixos-system-2-26.05
Profile:    /nix/store/0c3l1jzq7y0h0xv5l4n4a8m8m5c9b2wp-nixos-system-3-26.05
Menu:       2 entries
To do:      nothing
Room:       /boot, 512.0 MiB
            ███████████████████████▓▓▓▓▒▒▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
            █ ours 180.0 MiB  ▓ others 32.0 MiB  ▒ reserve 64.0 MiB
            ░ free 236.0 MiB
            room for about 4 more generations`,
    );
  });

  const install = 'espalier install';
  const worse = anEsp({
    nextIsCurrent: false,
    leftOut: ['4', '5'],
    findings: [
      { weight: 'caution', text: 'what boots next is NOT what the profile says', next: install },
      {
        weight: 'caution',
        text: 'it differs from what the profiles want in 2 files',
        details: [`missing: ${MENU[0]?.path}`, 'settings: loader/loader.conf (another boots next)'],
        next: install,
      },
      { weight: 'bad', path: 'EFI/x', text: 'it is not there', next: install },
    ],
    space: { total: 512 * MIB, free: 60 * MIB, ours: 420 * MIB, roomFor: 0 },
  });

  for (const columns of [40, 80, 200]) {
    test(`fills no more than ${columns} columns, but for names that cannot be broken`, () => {
      const text = page([worse], columns);
      for (const line of text.split('\n')) {
        const isName = line.trim().split(/ +/).length <= 3 && line.includes('/');
        assert.ok(stringWidth(line) <= columns || isName, line);
      }
      assert.ok(text.split('\n').every((line) => stringWidth(line) <= 120));
    });
  }

  test('tells each thing to be done with its next step, and a step once', () => {
    const todo = answer(page([worse]), 'To do');
    assert.match(todo, /- what boots next is NOT what the profile says\n +- it differs from/);
    assert.equal(todo.match(/→ espalier install$/gm)?.length, 1);
    assert.match(todo, /! EFI\/x: it is not there\n/);
    const room = answer(page([worse]), 'Room');
    assert.match(
      room,
      /no room for another generation\n +left out for lack of room: 4, 5; espalier gc/,
    );
  });

  test('a crowd of damaged entries does not fill the screen', () => {
    const crowd = Array.from({ length: 1000 }, (_, index) => anEntry(index, { damage: 'short' }));
    const findings = crowd.map(({ path }) => {
      return { weight: 'bad', path, text: 'short', next: 'espalier repair' } as const;
    });
    const todo = answer(page([anEsp({ findings }, crowd)]), 'To do');
    assert.match(todo, /! generation 0: short\n/);
    assert.match(todo, /and 995 more\n +→ espalier repair$/);
    assert.ok(todo.split('\n').length < 10);
  });

  test('says of every ESP by itself what is not the same for all', () => {
    const unreadable = {
      code: 'ESP_NOT_MOUNTED',
      message: 'not mounted',
      hint: 'mount it',
    } as const;
    const text = page([anEsp(), { status: { esp: '/boot2', problem: unreadable } }]);
    assert.match(
      answer(text, 'Starts'),
      /\/boot:\n +yes, .*\n[\s\S]*\/boot2:\n +unknown: not mounted/,
    );
    assert.match(answer(text, 'To do'), /! \/boot2: not mounted\n +→ mount it/);
    const twins = page([anEsp(), anEsp({ esp: '/boot2' })]);
    assert.equal(twins.match(/generation 3,/g)?.length, 1);
    assert.match(answer(twins, 'Room'), /\/boot, [\s\S]*\/boot2, /);
  });

  test('with XBOOTLDR both volumes have a bar', () => {
    const espSpace = { total: 64 * MIB, free: 60 * MIB };
    const room = answer(page([anEsp({ xbootldr: '/xboot', espSpace })]), 'Room');
    assert.match(room, /\/xboot, 512\.0 MiB\n +█+[\s\S]*\/boot, 64\.0 MiB\n +▓+░*/);
  });
});

describe('whether it starts', () => {
  const [own, fallback] = anEsp().status.loaders;
  const none = [own, fallback].map((loader) => ({
    ...{ path: espPath('x'), is: 'absent', problem: 'it is not there' },
    ...(loader && { path: loader.path }),
  }));
  const [damagedLoader, whole] = [none[0], fallback].filter((loader) => loader !== undefined);
  const cases: readonly (readonly [string, ShownEsp, RegExp])[] = [
    ['no entry', anEsp({}, []), /no: there is no boot entry/],
    [
      'a damaged entry',
      anEsp({}, [anEntry(3, { default: true, damage: 'short' })]),
      /^ +no: .*damaged/,
    ],
    ['no loader', anEsp({ loaders: none }), /no: no copy of our boot loader/],
    [
      'one loader of two',
      anEsp({ loaders: [damagedLoader, whole].filter((loader) => loader !== undefined) }),
      /yes, by the other copy/,
    ],
    [
      'firmware that refuses',
      anEsp({ firmware: ['Secure Boot is on, and …'] }),
      /no, not from here: Sec/,
    ],
    ['an entry that never came up', anEsp({ nextIsBad: true }), /perhaps: /],
    [
      'an unsigned entry under Secure Boot',
      {
        ...anEsp({}, [anEntry(3, { default: true, unsigned: 'no signature' })]),
        isSecureBoot: true,
      },
      /no: what boots next is not signed/,
    ],
  ];
  for (const [what, esp, expected] of cases) {
    test(`with ${what}: ${expected.source}`, () => {
      assert.match(answer(page([esp]), 'Starts'), expected);
    });
  }

  test('a variable that makes another entry boot is told', () => {
    const told = 'the EFI variable LoaderEntryDefault is "x"; clear it';
    const esp = { ...anEsp({ firmware: [told] }), obstacles: [], overrides: [told] };
    assert.match(answer(page([esp]), 'Starts'), /yes, but with another entry/);
  });
});
