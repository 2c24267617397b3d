import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { aProgram, confined, GLIBC, type ServiceShape, shown, stored } from './a-service.ts';
import { anElf } from './an-elf.ts';

const DAEMON = [GLIBC, '/usr/bin/daemon', '/usr/lib64/libc.so.6'];
const START = 'ExecStart=/usr/bin/daemon';

async function refusal(shape: ServiceShape): Promise<EspError> {
  try {
    await confined(shape);
  } catch (error) {
    assert.ok(error instanceof EspError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'expected a refusal, got a drop-in' });
}

describe('a confined service', () => {
  test('sees its programs with their libraries and nothing else', async () => {
    assert.deepEqual(shown(await confined({ lines: [START] })), DAEMON);
  });

  for (const key of [
    'ExecCondition',
    'ExecStartPre',
    'ExecStartPost',
    'ExecReload',
    'ExecStop',
    'ExecStopPost',
  ]) {
    test(`sees the program of ${key}=`, async () => {
      const files = { '/usr/bin/other': anElf() };
      const lines = [START, `${key}=-+/usr/bin/other %n ; /usr/bin/daemon`];
      const got = shown(await confined({ lines, files }));
      assert.deepEqual(got, [GLIBC, '/usr/bin/daemon', '/usr/bin/other', '/usr/lib64/libc.so.6']);
    });
  }

  test('sees a shell at /bin/sh, wherever that comes from', async () => {
    const usual = await confined({ lines: [START], request: { binSh: '/bin/sh' } });
    assert.deepEqual(shown(usual), ['/usr/bin/dash:/bin/sh', ...DAEMON]);
    const other = await confined({
      lines: ['ExecStart=/bin/sh -c :'],
      files: { '/opt/shell': anElf() },
      request: { binSh: '/opt/shell' },
    });
    assert.ok(shown(other).includes('/opt/shell:/bin/sh'));
  });

  test('sees a program by the link that it is called by', async () => {
    const files = {
      '/usr/bin/called': { link: '/etc/alternatives/it' },
      '/etc/alternatives/it': { link: '/usr/bin/daemon' },
    };
    const got = shown(await confined({ lines: ['ExecStart=called'], files }));
    assert.deepEqual(got, [GLIBC, '/usr/bin/daemon:/usr/bin/called', '/usr/lib64/libc.so.6']);
  });

  test('sees the interpreters of a script, one after the other, and what env looks up', async () => {
    const files = {
      '/srv/script': '#! /srv/interpreter -x\n',
      '/srv/interpreter': '#!/usr/bin/env -S A=b daemon --flag',
      '/usr/bin/env': anElf(),
    };
    const got = await confined({ lines: ['ExecStart=/srv/script'], files });
    const expected = [...DAEMON, '/srv/interpreter', '/srv/script', '/usr/bin/env'].sort();
    assert.deepEqual(shown(got), expected);
    assert.match(got.notices.join(), /\/srv\/script is a script/);
  });

  test('is told which of the paths it names it will not see, or sees them all', async () => {
    const files = {
      '/etc/daemon.conf': '',
      '/srv/data/x': '',
      '/srv/tool': aProgram('libt.so'),
      '/usr/lib64/libt.so': anElf(),
    };
    const lines = [
      `${START} --config=/etc/daemon.conf -x "/srv/data" /gone /`,
      'Environment=TOOL=/srv/tool:/srv/tool',
      'ReadWritePaths=/srv',
    ];
    const named = ['/etc/daemon.conf', '/srv/data', '/srv/tool'];
    const { notices } = await confined({ lines, files });
    assert.deepEqual(
      notices,
      named.map((path) => `${path} is named by the unit and will not exist for it`),
    );
    const full = await confined({ lines, files, request: { fullUnit: true } });
    assert.deepEqual(shown(full), [...DAEMON, ...named, '/usr/lib64/libt.so'].sort());
    assert.deepEqual(full.notices, []);
  });

  test('sees packages with what their programs need', async () => {
    const files = {
      '/opt/p/bin/tool': aProgram('libt.so'),
      '/opt/p/share/x': '',
      '/usr/lib64/libt.so': anElf(),
    };
    const got = await confined({ lines: [START], files, request: { packages: ['/opt/p'] } });
    assert.deepEqual(shown(got), [...DAEMON, '/opt/p', '/usr/lib64/libt.so'].sort());
  });

  test('sees a package whole, also when something in it could never be loaded', async () => {
    const files = { '/opt/p/a.so': aProgram('gone.so'), '/opt/p/b': anElf().subarray(0, 70) };
    const got = await confined({ lines: [START], files, request: { packages: ['/opt/p'] } });
    assert.deepEqual(shown(got), [...DAEMON, '/opt/p'].sort());
  });

  test('does without a program that may be missing', async () => {
    const { notices } = await confined({ lines: [START, 'ExecStartPre=-/gone'] });
    assert.match(notices.join(), /\/gone does not exist, and the unit says it need not/);
  });

  test('looks programs up where its unit says', async () => {
    const files = { '/own/daemon': anElf() };
    for (const line of ['ExecSearchPath=/own:/more', 'Environment=X=1 "PATH=/own:/usr/bin"']) {
      const got = await confined({ lines: ['ExecStart=daemon', line], files });
      assert.deepEqual(shown(got), ['/own/daemon'], line);
    }
  });
});

describe('a closure', () => {
  const [app, lib, script] = [stored('app'), stored('lib'), stored('script')];
  const files = {
    [`${app}/bin/app`]: anElf(),
    [`${lib}/x`]: '',
    [script]: { link: `${app}/bin/app` },
    '/run/current-system/sw/bin/app': { link: `${app}/bin/app` },
  };
  const store = { [app]: [lib, app], [script]: [app] };
  const start = `ExecStart=${app}/bin/app`;

  test('of a program in the store is what the store knows', async () => {
    assert.deepEqual(shown(await confined({ lines: [start], files, store })), [app, lib]);
  });

  test('has a link in the store at its place, and in it what it leads to', async () => {
    const got = await confined({ lines: [`${start} ${script}`], files, store });
    assert.deepEqual(shown(got), [app, lib, `${app}/bin/app:${script}`]);
  });

  test('has the link outside the store by which the service calls its program', async () => {
    const link = '/run/current-system/sw/bin/app';
    const got = await confined({ lines: [`ExecStart=${link}`], files, store });
    assert.deepEqual(shown(got), [app, lib, `${app}/bin/app:${link}`]);
  });

  test('is told by ELF in the store too, when asked', async () => {
    const got = await confined({ lines: [start], files, store, request: { closure: 'elf' } });
    assert.deepEqual(shown(got), [`${app}/bin/app`]);
  });

  test('of a program outside the store is refused when only the store may tell', async () => {
    const error = await refusal({ lines: [START], request: { closure: 'nix' } });
    assert.equal(error.status, 3);
    assert.match(error.message, /\/usr\/bin\/daemon does not lie in the Nix store/);
  });

  test('that is listed is taken as it is', async () => {
    const list = { '/srv/paths': `${app}\n${lib}\n` };
    const got = await confined({
      lines: [start],
      files: { ...files, ...list },
      request: { closure: { file: '/srv/paths' }, binSh: '/bin/sh' },
    });
    assert.deepEqual(
      shown(got),
      [`/usr/bin/dash:/bin/sh`, GLIBC, app, lib, '/usr/lib64/libc.so.6'].sort((a, b) =>
        a.replace(/.*:/, '') < b.replace(/.*:/, '') ? -1 : 1,
      ),
    );
  });

  test('that is listed must have the programs, and only paths that exist', async () => {
    const of = (list: string) =>
      refusal({
        lines: [start],
        files: { ...files, '/srv/paths': list },
        request: { closure: { file: '/srv/paths' } },
      });
    assert.match((await of(`${lib}\n`)).message, /app\/bin\/app lies in no path of \/srv\/paths/);
    assert.match((await of(`${app}\n/gone\n`)).message, /\/gone is not on this system/);
    assert.match(
      (await of(`\n\nx\n`)).message,
      /\/srv\/paths:3: expected an absolute path, got "x"/,
    );
  });
});

describe('a service that cannot be confined', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['RootDirectoryStartOnly=yes', /cannot bind paths for ExecStart= alone/],
    ['DynamicUser=1', /implies ProtectSystem=strict/],
    ['ProtectSystem=strict', /makes \/usr and others read-only/],
    ['ProtectSystem=full', /makes \/usr/],
    ['ProtectSystem=on', /makes \/usr/],
    ['RootDirectory=/srv/root', /a root of its own/],
    ['RootImage=/srv/image', /a root of its own/],
  ];
  for (const [line, reason] of refused) {
    test(`is refused with the reason: ${line}`, async () => {
      const error = await refusal({ lines: [START, line] });
      assert.equal(error.status, 3);
      assert.match(error.message, reason);
      assert.ok(error.message.startsWith(`a.service: ${line}: `));
      assert.ok(error.hint);
    });
  }

  for (const line of [
    'ProtectSystem=no',
    'ProtectSystem=strict\nProtectSystem=',
    'ProtectSystem=full\nProtectSystem=false',
    'DynamicUser=yes\nDynamicUser=off\nDynamicUser=maybe',
    'RootDirectoryStartOnly=f',
    'RootDirectory=/',
  ]) {
    test(`is not one with ${JSON.stringify(line)}`, async () => {
      assert.deepEqual(shown(await confined({ lines: [START, line] })), DAEMON);
    });
  }

  const broken: readonly (readonly [string, string, RegExp])[] = [
    ['executes nothing', 'Type=oneshot', /expected a command/],
    ['executes what is not there', 'ExecStart=/gone', /ExecStart=\/gone: no such program/],
    ['executes what is no program', 'ExecStart=/etc/text', /expected an ELF file or a script/],
    ['executes what only the run decides', 'ExecStart=/bin/%m', /not known before it runs/],
    ['is a script without an interpreter', 'ExecStart=/etc/lost', /interpreter nothing is not in/],
    ['is its own interpreter', 'ExecStart=/etc/circle', /at most 5 interpreters/],
  ];
  for (const [what, line, message] of broken) {
    test(`${what}, and is told so`, async () => {
      const files = {
        '/etc/text': 'text',
        '/etc/lost': '#!/usr/bin/env nothing\n',
        '/usr/bin/env': anElf(),
        '/etc/circle': '#!/etc/circle\n',
      };
      assert.match((await refusal({ lines: [line], files })).message, message);
    });
  }
});

describe('the drop-in', () => {
  test('has the settings of each mode, and leaves to the unit what it sets itself', async () => {
    for (const [mode, value] of [
      ['full-apivfs', 'yes'],
      ['chroot-only', 'no'],
    ] as const) {
      const { text } = await confined({ lines: [START, 'PrivateUsers=maybe'], request: { mode } });
      assert.deepEqual(text.split('\n').slice(2), [
        '[Service]',
        'RootDirectory=/var/empty',
        'TemporaryFileSystem=/',
        'PrivateMounts=yes',
        `MountAPIVFS=${value}`,
        `PrivateDevices=${value}`,
        `PrivateTmp=${value}`,
        '# as the unit has it: PrivateUsers=maybe',
        `ProtectControlGroups=${value}`,
        `ProtectKernelModules=${value}`,
        `ProtectKernelTunables=${value}`,
        ...DAEMON.map((path) => `BindReadOnlyPaths=${path}`),
        '',
      ]);
    }
  });
});
