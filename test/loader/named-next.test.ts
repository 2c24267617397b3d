/** What a loader.conf says boots next. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namedNext, parseLoaderConf } from '../../src/loader/loader-conf.ts';

const named = (text: string) => namedNext(parseLoaderConf(text));

test('what is preferred is named before the default, in any order of the lines', () => {
  assert.equal(named('preferred a.efi\ndefault b*\n'), 'a.efi');
  assert.equal(named('default b*\npreferred a.efi\n'), 'a.efi');
});

test('without a preferred entry the default is named, and of several the last', () => {
  assert.equal(named('default a.efi\ntimeout 3\ndefault b.efi\n'), 'b.efi');
  assert.equal(named('timeout 3\n'), undefined);
});
