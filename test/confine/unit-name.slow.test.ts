import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { expandSpecifiers } from '../../src/confine/specifier.ts';
import { dropInDirectories, parseUnitName, unescapeName } from '../../src/confine/unit-name.ts';

describe('the name of a unit', () => {
  const expand = (text: string, name: string) =>
    expandSpecifiers(text, { name: parseUnitName(name), file: '/etc/systemd/system/f' });

  test('gives its specifiers', () => {
    const name = String.raw`a-b@dev-disk\x2d1.service`;
    assert.equal(expand('%n %N', name), String.raw`${name} a-b@dev-disk\x2d1`);
    assert.equal(expand('%p %P %j %J', name), 'a-b a/b b b');
    assert.equal(expand('%i %I %f', name), String.raw`dev-disk\x2d1 dev/disk-1 /dev/disk-1`);
    assert.equal(
      expand('%t %S %% %h %Y %y', name),
      '/run /var/lib % /root /etc/systemd/system /etc/systemd/system/f',
    );
    assert.equal(expand('%f %i', 'a-b.service'), '/a/b ');
    assert.equal(expand('100%', name), '100%');
  });

  test('leaves open what only the run, or the instance, decides', () => {
    assert.equal(expand('/bin/%m', 'a.service'), undefined);
    assert.equal(expand('/bin/%i', 'a@.service'), undefined);
    assert.equal(expand('/bin/%p', 'a@.service'), '/bin/a');
  });

  test('unescapes anything without complaint', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void unescapeName(text)));
    assert.equal(unescapeName(String.raw`a%-\xc3\xa9\xff`), 'a%/é\uFFFD');
  });

  test('leads to its drop-ins: its own, its template’s, its prefixes’, its type’s', () => {
    assert.deepEqual(dropInDirectories(parseUnitName('a-b-c')), [
      'a-b-c.service.d',
      'a-b-.service.d',
      'a-.service.d',
      'service.d',
    ]);
    assert.deepEqual(dropInDirectories(parseUnitName('a-b@x.service')), [
      'a-b@x.service.d',
      'a-b@.service.d',
      'a-@.service.d',
      'service.d',
    ]);
  });
});
