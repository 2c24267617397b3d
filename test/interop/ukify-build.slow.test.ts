/** `uki build` and `uki inspect` against two versions of ukify: the same options, the same bytes and words. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bytesSource } from '../../src/byte-source.ts';
import { processContext } from '../../src/command/process-context.ts';
import { run as espalier } from '../../src/command/program.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { findParts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { missingTools, systemPython } from '../lab/tools.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificate, certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aBanner, aPlainKernel, aZbootKernel } from '../uki/a-kernel.ts';

const parts = findParts();
const missing = missingTools(['python3-pefile', 'binutils', 'sbsigntool', 'osslsigncode']);
const skip =
  parts === undefined ? 'needs the real parts' : missing.length > 0 && `needs ${missing}`;

const folder = mkdtempSync(join(tmpdir(), 'espalier-uki-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Version = '257' | '262';
const VERSIONS: readonly Version[] = ['257', '262'];

/** Runs the verb in this process and returns what it prints. */
async function ours(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const context = {
    ...processContext(pathToFileURL(import.meta.filename)),
    print: (text: Text) => void lines.push(plain(text)),
  };
  assert.equal(await espalier(['uki', ...args], '0', context), 0);
  return lines.join('\n');
}

function theirs(version: Version, ...args: readonly string[]): string {
  assert.ok(parts);
  return run(systemPython, [parts.ukify[version], ...args], { cwd: folder });
}

/** Writes a file for an option and returns its path. */
function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** An empty picture of one by one point. */
/** As openssl writes it. */
const PUBLIC_KEY = certificate.publicKey.export({ type: 'spki', format: 'pem' });
/** Bytes that begin as an archive of the kernel does, and as a device tree. */
const archive = (size: number) => Buffer.concat([Buffer.from('070701'), countingBytes(size - 6)]);
const tree = (size: number) =>
  Buffer.concat([Buffer.from('d00dfeed', 'hex'), countingBytes(size - 4)]);
const BITMAP = Uint8Array.from([
  ...[0x42, 0x4d, 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0],
  ...[40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0, 0, 4, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0],
]);

/** Options by name; a list is given one by one. `stub` is added. */
type Options = Readonly<Record<string, string | readonly string[]>>;

const SBAT = 'sbat,1,x\nmine,1,Me,mine,1,https://example.org/';

/** Sets of options that ukify understands as we do. */
function optionSets(): Readonly<Record<string, Options>> {
  const linux = file('linux', aPe({ dllCharacteristics: 0 }));
  const withSbat = file(
    'linux-sbat',
    aPe({
      sections: [
        { name: '.text', bytes: countingBytes(70_000) },
        {
          name: '.sbat',
          bytes: new TextEncoder().encode('sbat,1,x\nlinux,1,k,linux,1,https://l/\n'),
        },
      ],
    }),
  );
  const initrd = file('initrd', archive(100_001));
  const ucode = file('ucode', archive(1023));
  const plain = { linux, uname: '6.1', 'os-release': 'ID=x\nNAME="X y"\n' };
  const profile = (name: string) => join(folder, `${name}.profile`);
  return {
    'a kernel alone': plain,
    'a kernel that tells its release in its banner': {
      linux: file('banner', aPlainKernel(new TextEncoder().encode(aBanner('6.12.3-arm64')))),
      'os-release': 'ID=x\n',
    },
    'a kernel that unpacks itself, and then tells': {
      linux: file('zboot', aZbootKernel(gzipSync(aBanner('6.12.4')), 'gzip')),
      'os-release': 'ID=x\n',
    },
    'no os-release, no release': { linux, uname: '', 'os-release': '' },
    'a kernel with an SBAT of its own': { ...plain, linux: withSbat },
    'a command line over several lines': { ...plain, initrd, cmdline: '  quiet\n  root=x \t y ' },
    'files as they are': {
      ...plain,
      cmdline: `@${file('cmdline', 'quiet  splash \n')}`,
      'os-release': `@${file('os-release', '\n# mine\nID=y\n')}`,
    },
    'everything at once': {
      ...plain,
      linux: withSbat,
      cmdline: 'quiet',
      initrd: [initrd, ucode, file('more', countingBytes(3))],
      microcode: ucode,
      splash: file('splash.bmp', BITMAP),
      devicetree: file('board.dtb', tree(300)),
      'devicetree-auto': [file('a.dtb', tree(513)), file('b.dtb', tree(512))],
      pcrpkey: file('key.pem', `${PUBLIC_KEY}`),
      sbat: [SBAT, `@${file('sbat.csv', SBAT.replaceAll('mine', 'other'))}`],
      section: ['.mine:a text', `.other:@${ucode}`],
    },
    'an addon': { cmdline: 'debug', output: 'x' },
    'an addon with an SBAT': { cmdline: 'debug', sbat: SBAT },
    'a profile': { profile: 'ID=one\nTITLE=One', cmdline: 'one' },
    'a profile with a kernel': { ...plain, initrd, profile: 'ID=two', cmdline: 'two' },
    'profiles joined': {
      ...plain,
      initrd,
      cmdline: 'base',
      profile: `@${file('base.profile-text', 'ID=base\nTITLE=Base\n')}`,
      'join-profile': [profile('one'), profile('two')],
    },
    'profiles joined to a base that has no name and no os-release': {
      linux,
      uname: '6.1',
      'os-release': '',
      'join-profile': [profile('two')],
    },
    'a configuration file': {
      config: file(
        'ukify.conf',
        [
          '# all of it',
          '[UKI]',
          `Linux = ${linux}   # the kernel`,
          `Initrd = ${initrd}`,
          `  ${ucode}`,
          '',
          'Cmdline = init=/x',
          '   # not a part of it',
          'Uname=6.6',
          'OSRelease = ID=z',
          '   NAME=Z#z',
          `DeviceTreeAuto = ${file('c.dtb', tree(999))}  ${file('d.dtb', tree(1000))}`,
          `Microcode=${ucode}`,
          'SignKernel = no',
          'SecureBootCertificateValidity=10',
          'PCRBanks=sha256',
          '[UKI]',
          'Uname=6.7',
        ].join('\n'),
      ),
      initrd,
      microcode: initrd,
      cmdline: 'init=/y',
    },
  };
}

function flags(options: Options): string[] {
  return Object.entries(options).flatMap(([name, values]) =>
    [values].flat().map((value) => `--${name}=${value}`),
  );
}

/**
 * Makes the two ways in which an image of ours differs from one of ukify the same: ours has a CheckSum,
 * and ukify 257 ends `.sbat` with a NUL that it counts.
 */
function asUkify(image: Uint8Array, version: Version, stub: string): Buffer {
  const bytes = Buffer.from(image);
  const pe = parsePe(bytesSource(bytes));
  bytes.fill(0, pe.checksumOffset, pe.checksumOffset + 4);
  const isSbat = ({ name }: { name: string }) => name === '.sbat';
  const own = parsePe(bytesSource(readFileSync(stub))).sections.find(isSbat);
  const index = pe.sections.findIndex(isSbat);
  const isUntouched = pe.sections[index]?.virtualSize === own?.virtualSize;
  if (version === '262' || isUntouched) return bytes;
  const increment = (offset: number) => bytes.writeUInt32LE(bytes.readUInt32LE(offset) + 1, offset);
  increment(pe.sectionTableOffset + 40 * index + 8); // VirtualSize
  // A section that the stub does not have is one byte more of initialised data.
  if (own === undefined) increment(pe.optionalHeaderOffset + 8);
  return bytes;
}

describe('the same options', { skip }, () => {
  let sets: Readonly<Record<string, Options>> = {};
  before(() => {
    sets = optionSets();
    for (const id of ['one', 'two']) {
      const content = { profile: `ID=${id}`, cmdline: id, 'os-release': 'ID=p' };
      const options = { ...content, stub: parts?.addonStub['257'] ?? '' };
      theirs('257', 'build', ...flags(options), `--output=${join(folder, `${id}.profile`)}`);
    }
  });

  for (const version of VERSIONS) {
    for (const name of Object.keys(parts ? optionSets() : {})) {
      test(`${name}: every byte is that of ukify ${version}`, async () => {
        assert.ok(parts);
        const options = sets[name] ?? {};
        const hasKernel = options['linux'] !== undefined || options['config'] !== undefined;
        const stub = (hasKernel ? parts.stub : parts.addonStub)[version];
        const [mine, its] = ['mine.efi', 'its.efi'].map((file) => join(folder, file));
        assert.ok(mine && its);
        const given = flags({ ...options, stub });
        await ours('build', ...given, `--output=${mine}`);
        theirs(version, 'build', ...given, `--output=${its}`);
        const [a, b] = [readFileSync(mine), readFileSync(its)];
        assert.deepEqual(
          parsePe(bytesSource(a)).sections.map((section) => section.name),
          parsePe(bytesSource(b)).sections.map((section) => section.name),
        );
        assert.ok(asUkify(a, version, stub).equals(b));
        assert.equal(await ours('inspect', mine), theirs('262', 'inspect', mine).trimEnd());
        assert.deepEqual(
          JSON.parse(await ours('inspect', '--json', mine)),
          JSON.parse(theirs('262', 'inspect', mine, '--json=short')),
        );
      });
    }
  }
});

describe('signed', { skip }, () => {
  test('sbverify, osslsigncode and objdump accept the image, and sbverify the kernel inside', async () => {
    assert.ok(parts);
    const image = join(folder, 'signed.efi');
    const initrd = file('initrd-signed', countingBytes(100_001));
    const plain = { linux: parts.kernel, initrd, cmdline: 'quiet', stub: parts.stub['262'] };
    await ours(
      'build',
      ...flags({
        ...plain,
        'secureboot-certificate': certificatePath,
        'secureboot-private-key': privateKeyPath,
        output: image,
      }),
      ...['--allow-insecure-key', '--sign-kernel'],
    );
    run('sbverify', ['--cert', certificatePath, image]);
    const said = run('osslsigncode', ['verify', '-CAfile', certificatePath, image]);
    assert.doesNotMatch(said, /mismatch/i);
    const inner = join(folder, 'inner.efi');
    run('objcopy', ['-O', 'binary', '--only-section=.linux', image, inner]);
    run('sbverify', ['--cert', certificatePath, inner]);
    const named = parsePe(bytesSource(readFileSync(image))).sections.map(({ name }) => name);
    const listed = run('objdump', ['-h', image]).matchAll(/^ +\d+ (\.\w+)/gm);
    assert.deepEqual(
      [...listed].map(([, name]) => name),
      named,
    );
    assert.equal(await ours('inspect', image), theirs('262', 'inspect', image).trimEnd());
  });
});

describe('what ukify tells of an image', { skip }, () => {
  for (const version of VERSIONS) {
    test(`uki verify reads it from ukify ${version}`, async () => {
      assert.ok(parts);
      const hash = 'a1'.repeat(32);
      const image = join(folder, 'verity.efi');
      const opens = ['bin/veritysetup', 'lib/modules/6.1/dm-verity.ko'].map((path) =>
        memberOf(path, ''),
      );
      const initrd = file('initrd-verity', formatCpio(opens));
      const options = { linux: parts.kernel, initrd, stub: parts.stub['262'], output: image };
      await ours('build', ...flags({ ...options, verity: hash, 'verity-of': 'usr' }));
      const rows = [{ type: 'usr-x86-64-verity', uuid: '1', roothash: hash }];
      const repart = file('repart.json', JSON.stringify(rows));
      const input = theirs(version, 'inspect', image, '--json=short');
      const main = resolve(import.meta.dirname, '../../src/main.ts');
      const said = run(process.execPath, [main, 'uki', 'verify', '-', '--repart', repart], {
        input,
      });
      assert.equal(said, `-: boots the file systems of ${repart}\n`);
    });
  }
});
