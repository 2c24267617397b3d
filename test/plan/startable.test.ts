/** Whether firmware starts what is here: from which partition it came, and whom it trusts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import type { BootOption } from '../../src/loader/boot-option.ts';
import {
  entriesNotFound,
  notReached,
  refusals,
  startedElsewhere,
} from '../../src/plan/startable.ts';
import type { FirmwareView, LoaderView } from '../../src/plan/view.ts';

const firmware = (given: Partial<FirmwareView>): FirmwareView => ({
  secureBoot: true,
  trustsCertificate: true,
  forbids: undefined,
  bootOptions: undefined,
  variables: {},
  ...given,
});

describe('a machine that was started from another partition', () => {
  const from = (uuid: string) => firmware({ variables: { LoaderDevicePartUUID: uuid } });

  test('is told, with both partitions', () => {
    const [told = ''] = startedElsewhere({ firmware: from('AA'), partitions: ['bb', 'cc'] });
    assert.match(told, /started from partition aa, and what is kept here is bb and cc/);
  });

  test('is none when it was a mirror, in any case of letters', () => {
    assert.deepEqual(startedElsewhere({ firmware: from('CC'), partitions: ['bb', 'cc'] }), []);
  });

  test('is not guessed where nobody knows the partitions', () => {
    assert.deepEqual(startedElsewhere({ firmware: from('AA'), partitions: [] }), []);
    assert.deepEqual(startedElsewhere({ firmware: firmware({}), partitions: ['bb'] }), []);
    assert.deepEqual(startedElsewhere({ firmware: undefined, partitions: ['bb'] }), []);
  });
});

describe('firmware with Secure Boot on', () => {
  test('refuses a certificate in dbx, and one that it does not know', () => {
    const told = refusals(firmware({ forbids: 'dbx has it', trustsCertificate: false }));
    assert.deepEqual(told.length, 2);
  });

  test('refuses nothing while Secure Boot is off', () => {
    const off = firmware({ secureBoot: false, forbids: 'dbx has it', trustsCertificate: false });
    assert.deepEqual(refusals(off), []);
  });
});

describe('a boot loader of ours beside another system’s fallback', () => {
  const at = (path: string, kind: 'systemd-boot' | 'foreign'): LoaderView => ({
    place: kind === 'foreign' ? 'fallback' : 'systemd',
    path: espPath(...path.split('/')),
    size: 1,
    installed: kind === 'foreign' ? { kind } : { kind, version: '257', machine: 0x8664 },
    signature: 'not-checked',
  });
  const loaders = [
    at('EFI/systemd/systemd-bootx64.efi', 'systemd-boot'),
    at('EFI/BOOT/BOOTX64.EFI', 'foreign'),
  ];
  const option = {
    title: 'Linux Boot Manager',
    isActive: true,
    partition: 'bb',
    path: '\\EFI\\SYSTEMD\\SYSTEMD-BOOTX64.EFI',
  };
  const told = (...bootOptions: readonly BootOption[]) =>
    notReached({ firmware: firmware({ bootOptions }), partitions: ['bb'], loaders });

  test('is reached by an active boot entry of this partition, in any case of letters', () => {
    assert.deepEqual(told({ ...option, path: '\\shim.efi' }, option), []);
  });

  test('is not reached without one, and the command that makes one is told', () => {
    const others = [
      { ...option, isActive: false },
      { ...option, partition: 'cc' },
      { ...option, path: '\\EFI\\Microsoft\\Boot\\bootmgfw.efi' },
    ];
    assert.match(told(...others)[0] ?? '', /no boot entry .* efibootmgr --create/);
  });

  test('is not reached while an entry that starts another program of this ESP comes first', () => {
    const grub = { ...option, title: 'debian', path: '\\EFI\\debian\\shimx64.efi', isThere: true };
    assert.match(told(grub, option)[0] ?? '', /"debian" starts .*shimx64\.efi.* firmware register/);
    assert.deepEqual(told(option, grub), []);
    assert.deepEqual(told({ ...grub, isThere: false }, option), []);
    assert.deepEqual(told({ ...grub, isActive: false }, option), []);
    assert.deepEqual(told({ ...grub, partition: 'cc' }, option), []);
    const ours = loaders.map((loader) => ({
      ...loader,
      installed: { kind: 'systemd-boot', version: '257', machine: 0x8664 } as const,
    }));
    const seen = (bootOptions: readonly BootOption[], from?: string) =>
      notReached({
        firmware: firmware({ bootOptions, variables: from ? { LoaderDevicePartUUID: from } : {} }),
        partitions: ['bb'],
        loaders: ours,
      });
    assert.equal(seen([grub]).length, 1);
    assert.deepEqual(seen([grub], 'BB'), []);
    assert.deepEqual(seen([{ ...option, path: '\\EFI\\BOOT\\BOOTX64.EFI' }, grub]), []);
  });

  test('is reached by the fallback path where that is ours', () => {
    const ours = loaders.map((loader) => ({ ...loader, installed: { kind: 'absent' as const } }));
    const seen = { firmware: firmware({ bootOptions: [] }), partitions: ['bb'], loaders: ours };
    assert.deepEqual(notReached(seen), []);
  });
});

describe('a boot loader that does not find the entries', () => {
  const copy = (version: string, place: LoaderView['place'] = 'systemd'): LoaderView => ({
    ...{ place, path: espPath('EFI', 'a.efi'), size: 1, signature: 'not-checked' },
    installed: { kind: 'systemd-boot', version, machine: 0x8664 },
  });
  const asked = (versions: readonly string[], sectorSize?: number, xbootldr?: string) =>
    entriesNotFound({
      ...{ sectorSize, xbootldr },
      loaders: versions.map((version) => copy(version)),
    });

  test('is told before 261, on XBOOTLDR of a disk with larger sectors', () => {
    const [told = ''] = asked(['260.1', '257'], 4096, '/boot');
    assert.match(told, /systemd-boot 260\.1 finds no XBOOTLDR .* 4096 bytes: expected 261/);
  });

  test('is none since 261, on the ESP, with usual sectors, or where nobody tells', () => {
    assert.deepEqual(asked(['257', '261~rc1'], 4096, '/boot').length, 1);
    assert.deepEqual(asked(['257', '261'], 4096, '/boot'), []);
    assert.deepEqual(asked(['257'], 4096), []);
    assert.deepEqual(asked(['257'], 512, '/boot'), []);
    assert.deepEqual(asked(['257'], undefined, '/boot'), []);
    assert.deepEqual(asked([], 4096, '/boot'), []);
  });

  test('does not count as the previous one', () => {
    const loaders = [copy('257'), copy('262', 'previous')];
    assert.equal(entriesNotFound({ sectorSize: 4096, xbootldr: '/boot', loaders }).length, 1);
  });
});
