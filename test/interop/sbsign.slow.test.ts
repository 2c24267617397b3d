/** systemd-sbsign signs offline, too: over the same digest, and each takes what the other signed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { imageDigest } from '../../src/recipe/to-sign.ts';
import { digestToSign } from '../../src/signer/cms.ts';
import { aWorkbench, type Workbench } from '../command/a-uki.ts';
import { run } from '../lab/run.ts';
import { hasSbsign, sbsign } from '../lab/sbsign.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';

const missing = missingTools(['openssl', 'sbsigntool']);
const skip =
  missing.length > 0
    ? `SKIPPED, missing tools: ${installCommand(missing)}`
    : !hasSbsign() && 'SKIPPED, missing parts: node test/lab/fetch.ts';

const PROGRAM = aPe({ sections: [{ name: '.text', bytes: countingBytes(904) }] });
const certificate = `--certificate=${certificatePath}`;

/** Content type and message digest, in the order of DER, up to the digest's own bytes. */
const OUR_ATTRIBUTES = Buffer.from(
  '314c301906092a864886f70d010903310c060a2b060104018237020104302f06092a864886f70d01090431220420',
  'hex',
);

/** A program, and what systemd-sbsign would have signed for it. */
function prepared(bench: Workbench) {
  const program = bench.put('a.efi', PROGRAM);
  const [data, signature, signed] = ['data', 'signature', 'signed.efi'].map((name) =>
    bench.path(name),
  ) as [string, string, string];
  sbsign(['--prepare-offline-signing', certificate, `--output=${data}`, program]);
  return {
    program,
    data,
    signed,
    /** Signs as somebody else would, and has it put together. */
    finish() {
      run('openssl', ['dgst', '-sha256', '-sign', privateKeyPath, '-out', signature, data]);
      const parts = [`--signed-data=${data}`, `--signed-data-signature=${signature}`];
      sbsign([...parts, certificate, `--output=${signed}`, program]);
      run('sbverify', ['--cert', certificatePath, signed]);
    },
  };
}

describe('systemd-sbsign', () => {
  test('what it has signed offline is over the digest that we sign, with a time', {
    skip,
  }, async (t) => {
    const { program, data } = prepared(aWorkbench(t));
    const theirs = fs.readFileSync(data);
    assert.match(run('openssl', ['asn1parse', '-inform', 'DER', '-in', data]), /signingTime/);
    const ours = Buffer.concat([OUR_ATTRIBUTES, theirs.subarray(-32)]);
    const image = await imageDigest({ kind: 'signed', path: program }, nodeDisk());
    const digest = createHash('sha256').update(ours).digest();
    assert.deepEqual(digest, Buffer.from(digestToSign(image)));
  });

  test('it takes a signature over what we have signed', { skip }, (t) => {
    const program = prepared(aWorkbench(t));
    const digest = fs.readFileSync(program.data).subarray(-32);
    fs.writeFileSync(program.data, Buffer.concat([OUR_ATTRIBUTES, digest]));
    program.finish();
  });

  test('what it signed offline passes for signed with us', { skip }, async (t) => {
    const bench = aWorkbench(t);
    const program = prepared(bench);
    program.finish();
    const key = bench.path('db.key');
    fs.copyFileSync(privateKeyPath, key);
    fs.chmodSync(key, 0o600);
    const pair = ['--certificate', certificatePath, '--private-key', key];
    const { output } = await bench.run(['sign', program.signed, ...pair, '--quiet']);
    assert.match(output, /is signed, nothing to do/);
  });
});
