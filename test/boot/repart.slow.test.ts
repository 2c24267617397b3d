/** An image in two runs of systemd-repart, as nixpkgs makes one: the second adds an ESP that names what the first made. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { espalier } from '../lab/espalier.ts';
import { repart } from '../lab/repart.ts';
import { hasToolRoot } from '../lab/tool-root.ts';
import { marker, placeUsr } from '../lab/usr.ts';
import { once, theParts } from './installed.ts';
import {
  assertIsVerity,
  bootUsr,
  buildImage,
  espalierDoes,
  placeEsp,
  whatVerityMisses,
} from './verity-machine.ts';

const skip =
  whatVerityMisses() || (!hasToolRoot() && 'SKIPPED, missing parts: node test/lab/fetch.ts');

suite('an image by systemd-repart', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-repart-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const image = at('esp/EFI/Linux/usr.efi');
  const runs = once(() => {
    placeUsr(theParts(), at('usr'));
    placeDefinitions();
    const definitions = at('definitions');
    const first = at('intermediate.raw');
    const said = repart({ definitions, image: first, empty: 'create', defer: 'esp' });
    writeFileSync(at('first.json'), said);
    placeEsp(at('esp'), ['--verity', at('first.json')]);
    const last = at('final.raw');
    copyFileSync(first, last);
    writeFileSync(at('last.json'), repart({ definitions, image: last, empty: 'refuse' }));
    return { first: at('first.json'), last: at('last.json'), disk: last };
  });

  test('the image names the /usr of the first run', { skip }, () => {
    espalierDoes(['uki', 'verify', image, '--repart', runs().first]);
  });

  test('which the last run no longer knows, but both together do', { skip }, () => {
    const { first, last } = runs();
    assert.equal(espalier(['uki', 'verify', image, '--repart', last]).status, 1);
    espalierDoes(['uki', 'verify', image, '--repart', first, '--repart', last]);
  });

  test('an image that names another /usr is found out', { skip }, () => {
    const another = 'ab'.repeat(32);
    buildImage(at('another.efi'), ['--verity', another]);
    const { first, last } = runs();
    const said = espalier([
      'uki',
      'verify',
      at('another.efi'),
      '--repart',
      first,
      '--repart',
      last,
    ]);
    assert.equal(said.status, 1, said.stderr);
    assert.ok(said.stdout.includes(another), said.stdout);
  });

  test('what the last run made boots, from the /usr of the first', { skip }, async () => {
    const report = await bootUsr(runs().disk);
    assertIsVerity(report);
    assert.equal(report.marker, marker);
  });

  function placeDefinitions(): void {
    mkdirSync(at('definitions'));
    const place = (name: string, lines: readonly string[]): void =>
      writeFileSync(at(`definitions/${name}.conf`), ['[Partition]', ...lines, ''].join('\n'));
    const esp = ['Type=esp', 'Format=vfat', `CopyFiles=${at('esp')}:/`];
    place('00-esp', [...esp, 'SizeMinBytes=96M', 'SizeMaxBytes=96M']);
    const group = ['VerityMatchKey=usr', 'Minimize=best'];
    place('10-usr-verity', ['Type=usr-verity', 'Verity=hash', ...group]);
    const content = ['Format=erofs', `CopyFiles=${at('usr')}:/`];
    place('20-usr', ['Type=usr', 'Verity=data', ...content, ...group]);
  }
});
