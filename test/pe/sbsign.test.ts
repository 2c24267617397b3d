/** Our certificate table against that of sbsign: the same bytes around the same signature. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { appendSections } from '../../src/pe/append-sections.ts';
import { certificateTable, signedLayout } from '../../src/pe/certificate-table.ts';
import { createChecksum } from '../../src/pe/checksum.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { findParts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { countingBytes, layoutBytes } from './a-pe.ts';

const parts = findParts();
const missing = missingTools(['sbsigntool', 'openssl']);
const skip =
  parts === undefined ? 'needs the real parts' : missing.length > 0 && `needs ${missing}`;

const folder = mkdtempSync(join(tmpdir(), 'espalier-sbsign-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

function makeKey(): void {
  const subject = ['-subj', '/CN=Espalier test', '-days', '3', '-nodes'];
  const out = ['-keyout', file('key.pem'), '-out', file('cert.pem')];
  run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...subject, ...out]);
}

/** Returns an image with its CheckSum filled in. */
function withChecksum(image: Uint8Array): Uint8Array {
  const { checksumOffset } = parsePe(bytesSource(image));
  const checksum = createChecksum();
  checksum.update(image);
  new DataView(image.buffer).setUint32(checksumOffset, checksum.finish(image.length), true);
  return image;
}

test('around the same signature, every byte is that of sbsign; once and twice', { skip }, () => {
  assert.ok(parts);
  makeKey();
  const content = { kind: 'bytes', bytes: countingBytes(12_345) } as const;
  const images = {
    image: layoutBytes(
      appendSections(readFileSync(parts.stub['257']), [{ name: '.initrd', content }]),
    ),
    loader: readFileSync(parts.systemdBoot['262']),
    // The tail of this one, its symbol table, is not a multiple of 8.
    'old loader': readFileSync(parts.systemdBoot['252']),
    'signed kernel': readFileSync(parts.kernel),
  };
  for (const [name, image] of Object.entries(images)) {
    writeFileSync(file('image'), image);
    const keys = ['--key', file('key.pem'), '--cert', file('cert.pem')];
    run('sbsign', [...keys, '--output', file('signed'), file('image')]);
    const theirs = new Uint8Array(readFileSync(file('signed')));
    const der = certificateTable(bytesSource(theirs), parsePe(bytesSource(theirs))).at(-1);
    assert.ok(der);
    const ours = withChecksum(
      layoutBytes(signedLayout(bytesSource(image), 'f', der), { f: image }),
    );
    assert.ok(Buffer.from(ours).equals(theirs), name);
    writeFileSync(file('ours'), ours);
    assert.match(run('sbverify', ['--cert', file('cert.pem'), file('ours')]), /verification OK/);
  }
});
