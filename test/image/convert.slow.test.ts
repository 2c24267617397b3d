import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';
import { aDisk } from '../diskformat/a-disk.ts';
import { attempt } from '../lab/run.ts';
import { readDocument } from '../support/read-document.ts';
import { aDirectory } from '../tree/a-tree.ts';

/** Runs `image convert` in this process; throws what main.ts would print. */
async function convert(
  ...parameters: readonly string[]
): Promise<{ status: number; text: string }> {
  const lines: string[] = [];
  const real = processContext(new URL('../support/hash-worker.ts', import.meta.url));
  const context = {
    ...real,
    environment: { ...real.environment, TMPDIR: dirname(parameters[0] ?? '') },
    print: (text: Text) => void lines.push(plain(text)),
  };
  const status = await run(['image', 'convert', ...parameters], '0', context);
  return { status, text: lines.join('\n') };
}

function aRawDisk(t: TestContext) {
  const at = aDirectory(t);
  const disk = aDisk(3 * 1024 * 1024);
  writeFileSync(at('disk.raw'), disk);
  return { at, disk, raw: at('disk.raw') };
}

describe('espalier image convert', () => {
  test('leads from raw through every format back to the same disk', async (t) => {
    const { at, disk, raw } = aRawDisk(t);
    const names = ['a.qcow2', 'b.vdi', 'c.vhd', 'd.vhd-fixed', 'e.qcow2', 'f.raw'];
    const formats = [undefined, undefined, undefined, 'vhd-fixed', 'qcow2-compressed', undefined];
    let from = raw;
    for (const [index, name] of names.entries()) {
      const format = formats[index];
      const flags = format === undefined ? [] : ['--format', format];
      assert.equal((await convert(from, at(name), ...flags)).status, 0, name);
      from = at(name);
    }
    assert.ok(readFileSync(at('f.raw')).equals(disk));
    assert.equal(readdirSync(at()).length, names.length + 1, 'nothing is left under another name');
  });

  test('makes compressed streams of the raw disk', async (t) => {
    const { at, disk, raw } = aRawDisk(t);
    await convert(raw, at('a.raw.zst'));
    assert.ok(zstdDecompressSync(readFileSync(at('a.raw.zst'))).equals(disk));
    await convert(raw, at('a.raw.gz'));
    assert.ok(gunzipSync(readFileSync(at('a.raw.gz'))).equals(disk));
    const { text } = await convert(raw, at('a.raw.xz'), '--json');
    assert.equal(readDocument('image convert', text)['to'], 'raw, xz');
    assert.equal(attempt('xz', ['--test', at('a.raw.xz')]).status, 0);
  });

  test('unpacks streams, whoever packed them, of whichever disk', async (t) => {
    const { at, disk, raw } = aRawDisk(t);
    await convert(raw, at('a.qcow2'));
    const half = 1024 * 1024;
    // pigz, pzstd and pixz write several members behind each other.
    const parts = [disk.subarray(0, half), disk.subarray(half)];
    writeFileSync(at('a.raw.gz'), Buffer.concat(parts.map((part) => gzipSync(part))));
    writeFileSync(at('a.raw.zst'), Buffer.concat(parts.map((part) => zstdCompressSync(part))));
    writeFileSync(at('a.qcow2.gz'), gzipSync(readFileSync(at('a.qcow2'))));
    await convert(raw, at('a.raw.xz'));
    const before = readdirSync(at()).length;
    for (const [name, format] of [
      ['a.raw.gz', 'raw, gzip'],
      ['a.raw.zst', 'raw, zstd'],
      ['a.raw.xz', 'raw, xz'],
      ['a.qcow2.gz', 'qcow2, gzip'],
    ] as const) {
      const { text } = await convert(at(name), at('back.raw'), '--force', '--json');
      assert.equal(JSON.parse(text).from, format);
      assert.ok(readFileSync(at('back.raw')).equals(disk), name);
    }
    assert.equal(readdirSync(at()).length, before + 1, 'nothing unpacked is left');
  });

  for (const name of ['a.raw.gz', 'a.raw.zst', 'a.raw.xz']) {
    test(`refuses ${name} when it is cut short, and leaves nothing`, async (t) => {
      const { at, raw } = aRawDisk(t);
      await convert(raw, at(name));
      const whole = readFileSync(at(name));
      writeFileSync(at(name), whole.subarray(0, whole.length - 100));
      const before = readdirSync(at());
      await assert.rejects(convert(at(name), at('back.raw')), { code: 'DISK_IMAGE_MALFORMED' });
      assert.deepEqual(readdirSync(at()), before);
    });
  }

  test('refuses an output that is there, and leaves it and nothing else', async (t) => {
    const { at, raw } = aRawDisk(t);
    writeFileSync(at('a.qcow2'), 'precious');
    await assert.rejects(convert(raw, at('a.qcow2')), { code: 'IMAGE_EXISTS' });
    assert.equal(readFileSync(at('a.qcow2'), 'utf8'), 'precious');
    assert.equal((await convert(raw, at('a.qcow2'), '--force')).status, 0);
    assert.notEqual(readFileSync(at('a.qcow2'), 'latin1'), 'precious');
    await assert.rejects(convert(raw, raw, '--force'), { code: 'CONFIG_INVALID' });
  });

  test('tells an image that is not there from one that it would replace', async (t) => {
    const { at, raw } = aRawDisk(t);
    await assert.rejects(convert(at('none.raw'), at('new.raw')), { code: 'FILE_MISSING' });
    await assert.rejects(convert(raw, raw, '--force'), { message: /it is the image that is read/ });
  });

  test('leaves nothing when the image is damaged', async (t) => {
    const { at } = aRawDisk(t);
    writeFileSync(at('bad.qcow2'), Buffer.from('514649fb00000009', 'hex'));
    await assert.rejects(convert(at('bad.qcow2'), at('a.raw')), { code: 'DISK_IMAGE_MALFORMED' });
    assert.ok(!existsSync(at('a.raw')));
    await assert.rejects(convert(at('disk.raw'), at('a')), { code: 'CONFIG_INVALID' });
    await assert.rejects(convert(at('disk.raw'), at('a.gz'), '--format=vdi'), {
      code: 'CONFIG_INVALID',
    });
  });

  test('warns of a fixed VHD that Azure refuses', async (t) => {
    const { at } = aRawDisk(t);
    writeFileSync(at('odd.raw'), new Uint8Array(1024 * 1024 + 512));
    const { status, text } = await convert(at('odd.raw'), at('a'), '--format=vhd-fixed', '--json');
    assert.equal(status, 5);
    assert.match(text, /no whole number of MiB/);
  });
});
