/** The log of writes is read as QEMU and the kernel write it, and never beyond its end. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { type DiskRequest, parseWriteLog } from './write-log.ts';

const SECTOR = 512;
const FLUSH = 1;
const FORCED = 2;
const DISCARD = 4;
const MARK = 8;

interface Entry {
  readonly sector: number;
  readonly sectors: number;
  readonly flags: number;
  readonly note?: string;
  readonly data?: Uint8Array;
}

/** Returns a log with these entries. */
function aLog(entries: readonly Entry[], sectorSize = SECTOR): Uint8Array {
  const superblock = new Uint8Array(sectorSize);
  const view = new DataView(superblock.buffer);
  superblock.set(new TextEncoder().encode('rhswfsj'));
  view.setBigUint64(8, 1n, true);
  view.setBigUint64(16, BigInt(entries.length), true);
  view.setUint32(24, sectorSize, true);
  const pieces = entries.flatMap(({ sector, sectors, flags, note = '', data }) => {
    const header = new Uint8Array(sectorSize);
    const fields = new DataView(header.buffer);
    const text = new TextEncoder().encode(note);
    for (const [index, value] of [sector, sectors, flags, text.length].entries()) {
      fields.setBigUint64(8 * index, BigInt(value), true);
    }
    header.set(text, 32);
    return data ? [header, data] : [header];
  });
  return Buffer.concat([superblock, ...pieces]);
}

function write(sector: number, bytes: number, flags = 0): Entry {
  return { sector, sectors: 2, flags, data: new Uint8Array(2 * SECTOR).fill(bytes) };
}

suite('a log of writes', () => {
  test('is what was written where, in order, with its flushes', () => {
    const log = aLog([write(7, 1), { sector: 0, sectors: 0, flags: FLUSH }, write(3, 2, FORCED)]);
    const expected: DiskRequest[] = [
      { kind: 'write', offset: 7 * SECTOR, data: new Uint8Array(1024).fill(1), isForced: false },
      { kind: 'flush' },
      { kind: 'write', offset: 3 * SECTOR, data: new Uint8Array(1024).fill(2), isForced: true },
    ];
    assert.deepEqual(
      parseWriteLog(log).map((each) =>
        each.kind === 'write' ? { ...each, data: new Uint8Array(each.data) } : each,
      ),
      expected,
    );
  });

  test('a flush that comes with a write comes before it', () => {
    const kinds = parseWriteLog(aLog([write(1, 1, FLUSH)])).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['flush', 'write']);
  });

  test('marks and discards carry no data', () => {
    const log = aLog([
      { sector: 0, sectors: 0, flags: MARK, note: 'here' },
      { sector: 8, sectors: 4, flags: DISCARD },
      write(1, 1),
    ]);
    assert.deepEqual(parseWriteLog(log).slice(0, 2), [
      { kind: 'mark', text: 'here' },
      { kind: 'discard', offset: 8 * SECTOR, length: 4 * SECTOR },
    ]);
  });

  test('sectors may be larger', () => {
    const data = new Uint8Array(4096).fill(5);
    const log = aLog([{ sector: 2, sectors: 1, flags: 0, data }], 4096);
    const [request] = parseWriteLog(log);
    assert.ok(request?.kind === 'write');
    assert.equal(request.offset, 8192);
  });

  test('says where it ends too early', () => {
    const log = aLog([write(1, 1)]);
    assert.throws(() => parseWriteLog(log.subarray(0, log.length - 1)), {
      name: 'RangeError',
      message: 'write log at 1024: expected 1024 bytes of what was written, got 1023',
    });
  });

  test('is refused when it is something else', () => {
    assert.throws(() => parseWriteLog(new Uint8Array(1024)), /at 0: expected the magic number/);
  });

  test('whatever its bytes, it is read within its bounds or refused', () => {
    const log = aLog([write(1, 1), { sector: 0, sectors: 0, flags: FLUSH }, write(2, 2)]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(log.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const broken = log.slice();
          for (const [at, byte] of changes) broken[at] = byte;
          try {
            parseWriteLog(broken);
          } catch (error) {
            assert.ok(error instanceof RangeError, String(error));
          }
        },
      ),
    );
  });
});
