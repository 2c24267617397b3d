/** Whether firmware starts what is here: from which partition it came, and whom it trusts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusals, startedElsewhere } from '../../src/plan/startable.ts';
import type { FirmwareView } from '../../src/plan/view.ts';

const firmware = (given: Partial<FirmwareView>): FirmwareView => ({
  secureBoot: true,
  trustsCertificate: true,
  forbids: undefined,
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
