import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readUnit, settingOf, settingsOf } from '../../src/confine/unit.ts';
import { MemoryDisk, type Planted } from '../support/memory-disk.ts';

const read = (files: Readonly<Record<string, Planted>>, operand: string, output?: string) =>
  readUnit(new MemoryDisk({ files: { '/dev/null': '', ...files } }), operand, output);

const service = (...lines: string[]) => ['[Service]', ...lines, ''].join('\n');

describe('a unit', () => {
  test('of a name is the best file of that name, and its drop-ins in the order of their names', () => {
    const unit = read(
      {
        '/usr/lib/systemd/system/a.service': service('ExecStart=/vendor'),
        '/etc/systemd/system/a.service': service('ExecStart=/bin/a', 'User=one'),
        '/usr/lib/systemd/system/a.service.d/20.conf': service('User=vendor'),
        '/run/systemd/system/a.service.d/30.conf': service('ExecStart=', 'ExecStart=/bin/b'),
        '/etc/systemd/system/a.service.d/20.conf': service('User=two'),
        '/usr/lib/systemd/system/service.d/10.conf': service('User=all'),
        '/etc/systemd/system/a.service.d/README': service('User=nobody'),
      },
      'a',
    );
    assert.equal(unit.file, '/etc/systemd/system/a.service');
    assert.deepEqual(unit.dropIns, [
      '/usr/lib/systemd/system/service.d/10.conf',
      '/etc/systemd/system/a.service.d/20.conf',
      '/run/systemd/system/a.service.d/30.conf',
    ]);
    assert.deepEqual(settingsOf(unit, 'ExecStart'), ['/bin/b']);
    assert.equal(settingOf(unit, 'User'), 'two');
    assert.equal(unit.ownDropIn, '/etc/systemd/system/a.service.d/confinement.conf');
  });

  test('of a path has its drop-ins beside it', () => {
    const unit = read(
      {
        '/srv/a.service': service('User=one'),
        '/srv/a.service.d/x.conf': service('User=two'),
        '/etc/systemd/system/a.service.d/y.conf': service('User=other'),
      },
      '/srv/a.service',
    );
    assert.equal(settingOf(unit, 'User'), 'two');
    assert.equal(unit.ownDropIn, '/srv/a.service.d/confinement.conf');
  });

  test('in a unit directory is the one of that name', () => {
    const path = '/usr/lib/systemd/system/a.service';
    const unit = read(
      {
        [path]: service('User=one'),
        '/etc/systemd/system/a.service.d/x.conf': service('User=two'),
      },
      path,
    );
    assert.equal(settingOf(unit, 'User'), 'two');
    assert.equal(unit.ownDropIn, '/etc/systemd/system/a.service.d/confinement.conf');
  });

  test('is read without the drop-in that is about to be replaced', () => {
    const files = {
      '/srv/a.service': service('User=one'),
      '/srv/a.service.d/confinement.conf': service('User=two'),
      '/srv/a.service.d/mine.conf': service('User=three'),
    };
    const unit = read(files, '/srv/a.service', '/srv/a.service.d/mine.conf');
    assert.equal(settingOf(unit, 'User'), 'one');
  });

  test('of an instance is its template, and of an alias what it leads to', () => {
    const files = {
      '/usr/lib/systemd/system/a@.service': service('User=one'),
      '/etc/systemd/system/b.service': { link: '/usr/lib/systemd/system/c.service' },
      '/usr/lib/systemd/system/c.service': service('User=two'),
      '/etc/systemd/system/a@.service.d/x.conf': service('Group=one'),
      '/etc/systemd/system/c.service.d/x.conf': service('Group=two'),
    };
    for (const [name, user] of [
      ['a@x', 'one'],
      ['b', 'two'],
    ] as const) {
      const unit = read(files, name);
      assert.equal(settingOf(unit, 'User'), user);
      assert.equal(settingOf(unit, 'Group'), user);
    }
  });

  test('whose drop-in leads to /dev/null loses the one of that name', () => {
    const unit = read(
      {
        '/usr/lib/systemd/system/a.service': service('User=one'),
        '/usr/lib/systemd/system/a.service.d/x.conf': service('User=two'),
        '/etc/systemd/system/a.service.d/x.conf': { link: '/dev/null' },
      },
      'a',
    );
    assert.equal(settingOf(unit, 'User'), 'one');
  });

  test('that is masked, missing, or no service is refused by name', () => {
    const files = { '/etc/systemd/system/a.service': { link: '/dev/null' } };
    assert.throws(() => read(files, 'a'), { code: 'CONFIG_INVALID', message: /a.*masked/ });
    assert.throws(() => read(files, 'b'), { message: /b: no such unit in \/etc/ });
    assert.throws(() => read(files, '/srv/b.service'), { message: /no such unit in \/srv/ });
    assert.throws(() => read(files, 'a.socket'), { message: /expected a service, got .* socket/ });
  });
});
