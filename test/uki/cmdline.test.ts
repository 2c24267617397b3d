import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCmdline } from '../../src/uki/cmdline.ts';

test('init comes first and parameters stand as they are, joined by one space', () => {
  const params = ['quiet', 'dyndbg="file x +p"', '--', 'root=UUID=ab-cd', 'naïve'];
  assert.equal(
    formatCmdline('/nix/store/x/init', params),
    'init=/nix/store/x/init quiet dyndbg="file x +p" -- root=UUID=ab-cd naïve',
  );
  assert.equal(formatCmdline('/init', []), 'init=/init');
});

test('a control character is refused and the parameter named', () => {
  for (const control of ['\0', '\n', '\r', '\t', '\u007f'])
    assert.throws(() => formatCmdline('/init', ['quiet', `a${control}b`]), {
      code: 'BOOTSPEC_MALFORMED',
      message: /^kernelParams\[1\]: expected no control character, got "a/,
    });
});

test('an init that would be two words is refused', () => {
  for (const init of ['', '/a b', '/a\nb'])
    assert.throws(() => formatCmdline(init, []), {
      code: 'BOOTSPEC_MALFORMED',
      message: /^init: /,
    });
});
