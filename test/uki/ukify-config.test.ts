import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { parseIni } from '../../src/uki/ini.ts';
import { parseUkifyConfig } from '../../src/uki/ukify-config.ts';
import { run } from '../lab/run.ts';
import { systemPython } from '../lab/tools.ts';

function values(text: string): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {};
  for (const { section, key, value } of parseIni(text, 'f')) {
    found[section] ??= {};
    found[section][key] = value;
  }
  return found;
}

describe('the dialect', () => {
  const readings: readonly (readonly [string, Record<string, Record<string, string>>])[] = [
    ['[a]\nk=v', { a: { k: 'v' } }],
    ['[a]\n  k  =  v = w  ', { a: { k: 'v = w' } }],
    ['[a]\nK=1\nk=2', { a: { K: '1', k: '2' } }],
    ['[a]\nk=1\nk=2', { a: { k: '2' } }],
    ['[a]\nk=1\n  2\n\t3', { a: { k: '1\n2\n3' } }],
    ['[a]\nk=\n  2', { a: { k: '\n2' } }],
    ['[a]\nk=1 # c\n  2#c\n#x\n', { a: { k: '1\n2#c' } }],
    ['[a]\nk=1\r\n[b]\r\nk=2', { a: { k: '1' }, b: { k: '2' } }],
    ['[a]\nk=1\n  [b]', { a: { k: '1\n[b]' } }],
    ['[a]\nk=1\n[b]\n[a]\nl=2', { a: { k: '1', l: '2' } }],
    ['# nothing\n\n', {}],
  ];
  for (const [text, expected] of readings) {
    test(`${JSON.stringify(text)} is read`, () => assert.deepEqual(values(text), expected));
  }

  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['k=v', /^f:1: expected a \[section\] first, got "k=v"/],
    ['[a]\nword', /^f:2: expected KEY=VALUE or \[section\], got "word"/],
    ['[a]\n= v', /^f:2: expected KEY=VALUE/],
    ['[a]\nk=v\n\n  more', /^f:4: expected KEY=VALUE/],
    ['[a]\nk=v\n# ends it\n  more', /^f:4: expected KEY=VALUE/],
  ];
  for (const [text, message] of mistakes) {
    test(`${JSON.stringify(text)} is refused by line`, () =>
      assert.throws(() => parseIni(text, 'f'), { code: 'CONFIG_INVALID', message }));
  }

  test("any text is read as by Python's configparser, or refused by both", {
    skip: !existsSync(systemPython) && `needs ${systemPython}`,
  }, () => {
    const piece = fc.constantFrom(
      ...['[a]', '[b]', 'k', 'K', 'l', '=', '=', ' ', '  ', '\t', '#', ' #', '\n', '\n', '\n  '],
      ...['v', 'w x', ';', ':', '[', ']', '"'],
    );
    const text = fc.array(piece, { maxLength: 24 }).map((parts) => `[a]\n${parts.join('')}`);
    const texts = fc.sample(text, 3000);
    const python = JSON.parse(
      run(systemPython, ['-c', CONFIGPARSER], { input: JSON.stringify(texts) }),
    );
    texts.forEach((source, index) => {
      assert.deepEqual(readOrRefuse(source), python[index], JSON.stringify(source));
    });
  });
});

/** What ukify does with each of some texts; null for one that it refuses. */
const CONFIGPARSER = `
import configparser, json, sys
def read(text):
    cp = configparser.ConfigParser(comment_prefixes='#', inline_comment_prefixes='#', delimiters='=',
        empty_lines_in_values=False, interpolation=None, strict=False)
    cp.optionxform = lambda option: option
    try:
        cp.read_string(text)
    except configparser.Error:
        return None
    return {name: dict(section) for name, section in cp.items() if section}
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
`;

function readOrRefuse(text: string): unknown {
  try {
    return values(text);
  } catch (error) {
    if (error instanceof EspError) return null;
    throw error;
  }
}

describe('the keys', () => {
  test('each stands for the option of its name', () => {
    const text = [
      '[UKI]',
      'Linux=/k',
      'Initrd=/a /b',
      '  /c',
      'Cmdline=a',
      '  b',
      'SBAT=@x',
      'SignKernel=Off',
      'SecureBootSigningTool=systemd-sbsign',
      'SignInitrdPCRs=no',
      'HWIDs=',
    ].join('\n');
    assert.deepEqual(parseUkifyConfig(text, 'f'), {
      linux: '/k',
      initrd: ['/a', '/b', '/c'],
      cmdline: 'a\nb',
      sbat: ['@x'],
      'sign-kernel': false,
      'sign-initrd-pcrs': false,
    });
  });

  test('each key for policies has its place, and leaves a gap in the lists that it is not in', () => {
    const text = [
      ...['[PCRSignature:a]', 'PCRPrivateKey=/a', '[PCRSignature:b]', 'PCRPrivateKey=/b'],
      ...['Phases=enter-initrd', '[PCRSignature:a]', 'PolicyRef=x', '[UKI]', 'PCRBanks=sha256'],
    ].join('\n');
    assert.deepEqual(parseUkifyConfig(text, 'f'), {
      'pcr-private-key': ['/a', '/b'],
      phases: [undefined, 'enter-initrd'],
      policyref: ['x'],
      'pcr-banks': 'sha256',
    });
  });

  const refusals: readonly (readonly [string, RegExp])[] = [
    ['[UKI]\nlinux=/k', /^f:2: \[UKI\] linux=: there is no such key/],
    ['[Profile]\nID=x', /\[Profile\] ID=: there is no such key/],
    ['[PCRSignature:]\nPhases=x', /there is no such key/],
    ['[UKI]\n__proto__=x', /there is no such key/],
    ['[UKI]\nSecureBootSigningTool=pesign', /SecureBootSigningTool=: keys in an NSS database/],
    ['[UKI]\nSecureBootCertificateName=x', /keys in an NSS database/],
    ['[UKI]\nSigningEngine=pkcs11', /keys are read from PEM files/],
    ['[UKI]\nHWIDs=/d', /--section \.hwids:@FILE/],
    ['[UKI]\nFirmware=/d', /\.efifw/],
    ['[UKI]\nSignKernel=maybe', /expected yes or no, got "maybe"/],
  ];
  for (const [text, message] of refusals) {
    test(`${text.replace('\n', ' ')} is refused by name`, () =>
      assert.throws(() => parseUkifyConfig(text, 'f'), { code: 'CONFIG_INVALID', message }));
  }
});
