/** What goes into an image by mistake: refused where it misleads or gives a secret away, else told. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { countingBytes } from '../pe/a-pe.ts';
import { certificate, certificateDer, certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string) => Uint8Array.from([0xff, 0xfe, ...Buffer.from(text, 'utf16le')]);
const PUBLIC_KEY = `${certificate.publicKey.export({ type: 'spki', format: 'pem' })}`;

describe('told', () => {
  const cases: readonly (readonly [string, (bench: Workbench) => string[], RegExp])[] = [
    [
      'a comment in a command line',
      (bench) => ['--cmdline', `@${bench.put('c', 'quiet\n# not this\nroot=x')}`],
      /--cmdline: line 2 begins with #/,
    ],
    [
      'a byte order mark before a command line',
      (bench) => ['--cmdline', `@${bench.put('c', '\ufeffquiet')}`],
      /--cmdline: begins with a byte order mark/,
    ],
    [
      'a byte order mark before os-release',
      (bench) => ['--os-release', `@${bench.put('o', '\ufeffID=x\nNAME=y\n')}`],
      /--os-release: begins with a byte order mark/,
    ],
    [
      'an os-release that names nothing',
      () => ['--os-release', 'VERSION=1'],
      /none of PRETTY_NAME/,
    ],
    [
      'an os-release in which all is a comment',
      (bench) => ['--os-release', `@${bench.put('o', '# ID=x\n')}`],
      /systemd-boot would not list/,
    ],
    [
      'a PNG as splash',
      (bench) => ['--splash', bench.put('s.png', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10))],
      /--splash .*s\.png: expected a bitmap \(BMP\).*got PNG/,
    ],
    [
      'a gzipped microcode',
      (bench) => ['--microcode', bench.put('u.gz', gzipSync(bytes('070701')))],
      /--microcode .*not packed.*got gzip/,
    ],
    [
      'what is no device tree',
      (bench) => ['--devicetree', bench.put('b.dts', '/dts-v1/;')],
      /--devicetree .*expected a compiled device tree/,
    ],
    [
      'a path without @ as command line',
      (bench) => ['--cmdline', bench.put('cmdline', 'quiet')],
      /--cmdline: .*cmdline is a file, and its path goes into the image: write @/,
    ],
    [
      'a path without @ as os-release',
      (bench) => ['--os-release', bench.put('osrel', 'ID=x')],
      /--os-release: .*write @/,
    ],
    [
      'a path without @ as a section',
      (bench) => ['--section', `.mine:${bench.put('mine', 'x')}`],
      /--section \.mine: .*write @/,
    ],
    [
      'a command line that is not UTF-8',
      (bench) => ['--cmdline', `@${bench.put('c', Uint8Array.of(0x61, 0xff, 0x62))}`],
      /--cmdline: is not UTF-8/,
    ],
  ];
  for (const [what, flags, expected] of cases) {
    test(what, async (t) => {
      const bench = aWorkbench(t);
      const { status, error, output } = await bench.build('--json', ...flags(bench));
      assert.equal(error, undefined);
      assert.equal(status, 5);
      assert.match(JSON.parse(output).warnings.join(), expected);
    });
  }

  test('nothing, of inputs as they should be', async (t) => {
    const bench = aWorkbench(t);
    const flags = [
      ...['--cmdline', `@${bench.put('c', 'quiet root=/dev/x#1\n')}`],
      ...['--os-release', `@${bench.put('o', '# a comment is one here\nID=x\n')}`],
      ...['--splash', bench.put('s.bmp', 'BM')],
      ...['--microcode', bench.put('u', '070701')],
      ...['--devicetree', bench.put('d', Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed))],
      ...['--pcrpkey', bench.put('p', PUBLIC_KEY)],
      ...['--section', `.bin:@${bench.put('b', countingBytes(400))}`],
    ];
    const { status, error } = await bench.build(...flags);
    assert.equal(error, undefined);
    assert.equal(status, 0);
  });
});

describe('refused', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const cases: readonly (readonly [string, (bench: Workbench) => string[], RegExp])[] = [
    ['a NUL in a command line', (b) => ['--cmdline', `@${b.put('c', 'a\0b')}`], /NUL at byte 1/],
    ['a NUL in os-release', (b) => ['--os-release', `@${b.put('c', 'ID=x\0')}`], /NUL at byte 4/],
    ['UTF-16 as a command line', (b) => ['--cmdline', `@${b.put('c', utf16('quiet'))}`], /UTF-16/],
    ['UTF-16 as os-release', (b) => ['--os-release', `@${b.put('c', utf16('ID=x'))}`], /UTF-16/],
    [
      'UTF-16 without a mark',
      (b) => ['--cmdline', `@${b.put('c', Buffer.from('quiet', 'utf16le'))}`],
      /NUL at byte 1/,
    ],
    ['UTF-16 as a profile', (b) => ['--profile', `@${b.put('c', utf16('ID=x'))}`], /UTF-16/],
    [
      'a private key as --pcrpkey',
      (b) => ['--pcrpkey', b.put('k', privateKeyPem)],
      /a private key/,
    ],
    [
      'a private key of another kind',
      (b) => ['--pcrpkey', b.put('k', `${ec.export({ type: 'sec1', format: 'pem' })}`)],
      /a private key/,
    ],
    [
      'a private key behind its public one',
      (b) => ['--pcrpkey', b.put('k', PUBLIC_KEY + privateKeyPem)],
      /a private key/,
    ],
    [
      'a private key as a section',
      (b) => ['--section', `.pcrpkey:@${b.put('k', privateKeyPem)}`],
      /--section \.pcrpkey: got a private key/,
    ],
    [
      'a private key as a command line',
      (b) => ['--cmdline', `@${b.put('k', privateKeyPem)}`],
      /--cmdline: got a private key/,
    ],
    [
      'a private key as an initrd',
      (b) => ['--initrd', b.put('k', privateKeyPem)],
      /--initrd: got a private key/,
    ],
    [
      'a private key as a picture',
      (b) => ['--splash', b.put('k', privateKeyPem)],
      /--splash: got a private key/,
    ],
    [
      'a private key in DER as a section',
      (b) => ['--section', `.x:@${b.put('k', ec.export({ type: 'pkcs8', format: 'der' }))}`],
      /--section: got a private key/,
    ],
    [
      'a private key in DER as --pcrpkey',
      (b) => ['--pcrpkey', b.put('k', ec.export({ type: 'sec1', format: 'der' }))],
      /got a private key/,
    ],
    ['a certificate in DER', (b) => ['--pcrpkey', b.put('k', certificateDer)], /in PEM, got/],
    ['a text', (b) => ['--pcrpkey', b.put('k', 'hello')], /in PEM, got something else/],
    [
      'a public key that is none',
      (b) => [
        '--pcrpkey',
        b.put('k', '-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----'),
      ],
      /cannot be decoded/,
    ],
  ];
  for (const [what, flags, expected] of cases) {
    test(`${what}, and nothing is written`, async (t) => {
      const bench = aWorkbench(t);
      const { error } = await bench.build(...flags(bench));
      assert.equal(error?.status, 2);
      assert.match(error?.message ?? '', expected);
      assert.ok(!bench.names().includes('out.efi'));
    });
  }
});

test('a text that is swapped after its check does not go into an image', async (t) => {
  const bench = aWorkbench(t);
  const cmdline = bench.put('c', 'quiet');
  const disk = nodeDisk();
  const args = ['build', ...bench.arguments(), '--cmdline', `@${cmdline}`];
  const { error } = await bench.try(args, {
    read: (path, limit) => {
      const content = disk.read(path, limit);
      const isFirst = content.length === 'quiet'.length;
      if (path === cmdline && isFirst) bench.put('c', privateKeyPem);
      return content;
    },
  });
  assert.equal(error?.code, 'SOURCE_CHANGED');
  assert.ok(!bench.names().includes('out.efi'));
});

describe('a public key', () => {
  const keyIn = async (bench: Workbench) => {
    const { output } = await bench.try(['inspect', '--json', bench.path('out.efi')]);
    return JSON.parse(output)['.pcrpkey'].text;
  };

  test('goes into the image byte for byte', async (t) => {
    const bench = aWorkbench(t);
    const text = `# mine\n${PUBLIC_KEY}`;
    await bench.build('--pcrpkey', bench.put('k', text));
    assert.equal(await keyIn(bench), text);
  });

  test('is taken out of a certificate', async (t) => {
    const bench = aWorkbench(t);
    await bench.build('--pcrpkey', certificatePath);
    assert.equal(await keyIn(bench), PUBLIC_KEY);
  });
});

test('inspect shows no private key that is in an image, and says that it is there', async (t) => {
  const bench = aWorkbench(t);
  await bench.build('--section', `.pcrpkey:@${bench.put('k', 'x'.repeat(privateKeyPem.length))}`);
  const image = Buffer.from(bench.bytes('out.efi'));
  image.write(privateKeyPem, image.indexOf('xxxxxxxx'));
  const { output, status } = await bench.try(['inspect', bench.put('leak.efi', image)]);
  assert.equal(status, 5);
  assert.doesNotMatch(output, /BEGIN/);
  assert.match(output, /finding: section "\.pcrpkey" holds a private key/);
});
