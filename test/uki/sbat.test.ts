import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { defaultSbat, mergeSbat } from '../../src/uki/sbat.ts';

const header = 'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n';
const encode = (text: string) => new TextEncoder().encode(text);
const merge = (...texts: readonly string[]) =>
  new TextDecoder().decode(mergeSbat(texts.map(encode)));

test('the version line stands first and once, and components once, in the order they came', () => {
  const stub = `${header}systemd,1,…,systemd,262,x\n\0\0\0\0`;
  const kernel = `${header}linux,1,Linux,linux,6.12,x\nsystemd,1,…,systemd,262,x\n`;
  assert.equal(
    merge(stub, kernel, `${header}uki,1,UKI,uki,1,x`),
    `${header}systemd,1,…,systemd,262,x\nlinux,1,Linux,linux,6.12,x\nuki,1,UKI,uki,1,x\n`,
  );
});

test('what does not start with a version line adds nothing, nor does what follows a NUL', () => {
  assert.equal(merge('linux,1,x\n', '', `${header}a,1\n\0b,1\n`), `${header}a,1\n`);
});

test('a line may end with a carriage return alone', () => {
  assert.equal(merge(`${header}\r`, `${header}a,1\rb,1\r\n`), `${header}a,1\nb,1\n`);
});

test('merging is idempotent and adds no line of its own', () => {
  assert.equal(merge(), header);
  assert.deepEqual(mergeSbat([defaultSbat]), defaultSbat);
  assert.deepEqual(mergeSbat([defaultSbat, defaultSbat]), defaultSbat);
});

test('any bytes whatever are merged, or refused as PE_MALFORMED', () => {
  const content = fc
    .uint8Array({ maxLength: 60 })
    .map((tail) => Uint8Array.of(...encode(header), ...tail));
  fc.assert(
    fc.property(fc.array(content), (contents) => {
      try {
        const merged = mergeSbat(contents);
        assert.deepEqual(mergeSbat([merged]), merged);
        assert.ok(!merged.includes(0));
      } catch (error) {
        assert.ok(error instanceof EspError && error.code === 'PE_MALFORMED', String(error));
      }
    }),
  );
});
