/** Partitions that a root hash does not lead to: `uki verify` tells of them, and `uki build --verity` refuses. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { partitionUuids } from '../../src/verity/root-hash.ts';
import { aWorkbench } from './a-uki.ts';

const HEX = '00112233445566778899aabbccddeeff'.repeat(2).replace(/^00/, 'ff');
const UUIDS = partitionUuids(HEX);
const OTHER = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11';

/** What systemd-repart prints; before 257 it says the root hash on the hash partition alone. */
function rows(data: string, hash: string, isOld = false): string {
  return JSON.stringify([
    { type: 'usr-x86-64-verity', uuid: hash, roothash: HEX },
    { type: 'usr-x86-64', uuid: data, ...(isOld ? {} : { roothash: HEX }) },
    { type: 'usr-x86-64-verity-sig', uuid: OTHER, roothash: HEX },
  ]);
}

describe('a partition with a UUID of its own', () => {
  for (const [what, text] of [
    ['data', rows(OTHER, UUIDS.hash)],
    ['data', rows(OTHER, UUIDS.hash, true)],
    ['hash', rows(UUIDS.data, OTHER)],
  ] as const) {
    test(`as ${what} is a mismatch of uki verify, and no image is built for it`, async (t) => {
      const bench = aWorkbench(t);
      const repart = bench.put('repart.json', text);
      await bench.build('--cmdline', `usrhash=${HEX}`);
      const verified = await bench.try(['verify', bench.path('out.efi'), '--repart', repart]);
      assert.equal(verified.status, 1);
      assert.match(verified.output, new RegExp(`expected PARTUUID ${UUIDS[what]} .*got ${OTHER}`));
      const built = await bench.build('--verity', repart);
      assert.equal(built.error?.code, 'CONFIG_INVALID');
      assert.match(built.error?.message ?? '', new RegExp(`${UUIDS[what]}.*got ${OTHER}`));
      assert.match(
        built.error?.hint ?? '',
        new RegExp(`--verity-${what}-device PARTUUID=${OTHER}`),
      );
    });
  }

  test('is none when the command line says where it is', async (t) => {
    const bench = aWorkbench(t);
    const repart = bench.put('repart.json', rows(OTHER, UUIDS.hash));
    const device = ['--verity-data-device', `PARTUUID=${OTHER}`];
    assert.equal((await bench.build('--verity', repart, ...device)).error, undefined);
    const { status } = await bench.try(['verify', bench.path('out.efi'), '--repart', repart]);
    assert.equal(status, 0);
  });

  test('with the halves of the root hash is as it should be, in either case', async (t) => {
    const bench = aWorkbench(t);
    const repart = bench.put('repart.json', rows(UUIDS.data.toUpperCase(), UUIDS.hash));
    assert.equal((await bench.build('--verity', repart)).error, undefined);
    const { status } = await bench.try(['verify', bench.path('out.efi'), '--repart', repart]);
    assert.equal(status, 0);
  });
});
