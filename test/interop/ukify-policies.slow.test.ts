/** Policies for PCR 11 in images: every byte is that of ukify 262 with systemd-measure 262. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bytesSource } from '../../src/byte-source.ts';
import { processContext } from '../../src/command/process-context.ts';
import { run as espalier } from '../../src/command/program.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';
import { findParts } from '../lab/parts.ts';
import { hasPolicyTools, policyTools } from '../lab/policy-tools.ts';
import { run } from '../lab/run.ts';
import { missingTools, systemPython } from '../lab/tools.ts';
import { POLICY_KEY, POLICY_PUBLIC_KEY } from '../measure/vectors.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';

const parts = findParts();
const missing = missingTools(['python3-pefile', 'openssl']);
const skip =
  parts === undefined || !hasPolicyTools()
    ? 'SKIPPED, missing parts: node test/lab/fetch.ts'
    : missing.length > 0 && `SKIPPED, needs ${missing}`;

const folder = mkdtempSync(join(tmpdir(), 'espalier-policies-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

function file(name: string, content: Uint8Array | string): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** Runs `uki build` in this process and returns what it prints. */
async function ours(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const context = {
    ...processContext(pathToFileURL(import.meta.filename)),
    print: (text: Text) => void lines.push(plain(text)),
  };
  const argv = ['uki', 'build', '--allow-insecure-key', ...args];
  assert.equal(await espalier(argv, '0', context), 0);
  return lines.join('\n');
}

function theirs(...args: readonly string[]): string {
  assert.ok(parts);
  const ukify = [parts.ukify['262'], 'build', `--tools=${policyTools}`, '--hwids='];
  return run(systemPython, [...ukify, ...args], { cwd: folder });
}

const KEY = [`--pcr-private-key=${POLICY_KEY}`, `--pcr-public-key=${POLICY_PUBLIC_KEY}`];
/** Another key: that which signs images in tests, with a certificate. */
const OTHER = [`--pcr-private-key=${privateKeyPath}`];

const base = [
  `--linux=${file('linux', aPe({ dllCharacteristics: 0 }))}`,
  `--initrd=${file('initrd', Buffer.concat([Buffer.from('070701'), countingBytes(100_001)]))}`,
  ...['--uname=6.1', '--os-release=ID=x\nNAME="X"\n', '--cmdline=quiet'],
  `--stub=${parts?.stub['262']}`,
];
const profiles = ['one', 'two'].map((id) => `--join-profile=${at(`${id}.profile`)}`);
const configuration = [
  '[UKI]',
  'PCRBanks=sha256 sha1',
  'SignInitrdPCRs=yes',
  '[PCRSignature:initrd]',
  `PCRPrivateKey=${POLICY_KEY}`,
  'Phases=enter-initrd',
  '[PCRSignature:system]',
  `PCRPrivateKey=${privateKeyPath}`,
  'Phases=enter-initrd:leave-initrd:sysinit, enter-initrd',
].join('\n');

const SETS: Readonly<Record<string, readonly string[]>> = {
  'one key': KEY,
  'a key without its public half, and a certificate with it': [
    ...OTHER,
    `--pcr-certificate=${certificatePath}`,
  ],
  'a key alone, and one bank': [`--pcr-private-key=${POLICY_KEY}`, '--pcr-banks=sha384'],
  'phases and banks in another order': [
    ...KEY,
    ...['--phases=enter-initrd:leave-initrd enter-initrd', '--pcr-banks=sha256,sha1'],
  ],
  'a policy for the initrd': [...KEY, '--sign-initrd-pcrs', '--pcr-banks=sha256'],
  'a reference': [...KEY, '--policyref=só é', '--pcr-banks=sha256'],
  'two keys': [...KEY, ...OTHER, `--pcr-public-key=${at('other.pub')}`, '--pcr-banks=sha256'],
  profiles: [...KEY, ...profiles, '--profile=ID=main', '--pcr-banks=sha256'],
  'one profile of three': [...KEY, ...profiles, '--sign-profile=two', '--pcr-banks=sha256'],
  'device trees to choose from': [
    ...KEY,
    ...['a', 'b'].map(
      (name) =>
        `--devicetree-auto=${file(`${name}.dtb`, Buffer.concat([Buffer.from('d00dfeed', 'hex'), Buffer.from(name)]))}`,
    ),
    '--pcr-banks=sha256',
  ],
  'a public key for everyone to see': [`--pcr-public-key=${POLICY_PUBLIC_KEY}`],
  'somebody else signs': [
    ...['--policy-digest', `--pcr-public-key=${POLICY_PUBLIC_KEY}`, '--sign-initrd-pcrs'],
    '--pcr-banks=sha256',
  ],
  'a configuration file': [`--config=${file('ukify.conf', configuration)}`],
};

/** Without CheckSum, which ukify leaves out. */
function bytesOf(name: string): Buffer {
  const bytes = readFileSync(at(name));
  const { checksumOffset } = parsePe(bytesSource(bytes));
  return bytes.fill(0, checksumOffset, checksumOffset + 4);
}

describe('policies', { skip }, () => {
  before(() => {
    file('other.pub', run('openssl', ['pkey', '-in', privateKeyPath, '-pubout']));
    for (const id of ['one', 'two']) {
      const content = [`--profile=ID=${id}`, `--cmdline=${id}`, '--os-release=ID=p'];
      theirs(...content, `--stub=${parts?.addonStub['262']}`, `--output=${at(`${id}.profile`)}`);
    }
  });

  for (const [name, args] of Object.entries(SETS)) {
    test(`${name}: every byte is that of ukify`, async () => {
      await ours(...base, ...args, `--output=${at('ours.efi')}`);
      theirs(...base, ...args, `--output=${at('theirs.efi')}`);
      assert.ok(bytesOf('ours.efi').equals(bytesOf('theirs.efi')));
    });
  }

  test('signatures of another machine make the same image by ours and by ukify', async () => {
    const elsewhere = ['--policy-digest', `--pcr-public-key=${POLICY_PUBLIC_KEY}`];
    const image = `--output=${at('unsigned.efi')}`;
    const asked = await ours(...base, ...elsewhere, ...profiles, image);
    const said = theirs(...base, ...elsewhere, ...profiles, '--json=short', image);
    assert.deepEqual(JSON.parse(asked), JSON.parse(said));
    const signed = JSON.parse(asked);
    for (const entry of Object.values(signed).flat() as { tbs: string; sig?: string }[]) {
      const data = file('tbs', Buffer.from(entry.tbs, 'hex'));
      run('openssl', ['dgst', '-sha256', '-sign', POLICY_KEY, '-out', at('sig'), data]);
      entry.sig = readFileSync(at('sig')).toString('base64');
    }
    const join = [
      `--join-pcrsig=${at('unsigned.efi')}`,
      `--pcrsig=@${file('signed.json', JSON.stringify(signed))}`,
    ];
    await ours(...join, `--output=${at('ours.efi')}`);
    theirs(...join, `--output=${at('theirs.efi')}`);
    assert.ok(bytesOf('ours.efi').equals(bytesOf('theirs.efi')));
  });

  test('--measure prints what systemd-measure calculates', async () => {
    const args = [...base, '--measure', '--pcr-banks=sha256', `--output=${at('measured.efi')}`];
    const hashes = (text: string) => text.match(/^11:.*$/gm);
    assert.deepEqual(hashes(await ours(...args)), hashes(theirs(...args)));
  });
});
