/** `report`: one page that needs nothing else, tells what the other verbs tell, and holds no foreign markup. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { elementsOf, textOf } from '../html/a-document.ts';
import { aMachine, type Machine } from './a-machine.ts';

async function aReported(t: TestContext): Promise<Machine> {
  const generations = [{ initrd: 'a' }, { initrd: 'a' }, { specialisations: { gaming: {} } }];
  const machine = aMachine(t, { generations });
  await machine.run('install');
  machine.boots(1);
  return machine;
}

test('the page shows the menu, the space, every generation and PCR 11, and is well-formed', async (t) => {
  const machine = await aReported(t);
  const { status, output } = await machine.run('report');
  assert.equal(status, 0, output);
  const elements = elementsOf(output);
  const text = textOf(output);
  for (const told of ['Boots next', 'All is well', 'Who holds the space', 'Generation 3', 'Free'])
    assert.ok(text.includes(told), told);
  const chosen = elements.filter(({ attributes }) => attributes['class'] === 'chosen');
  assert.equal(chosen.length, 1);
  const { output: list } = await machine.run('list', '--json');
  const entries: readonly { readonly title: string }[] = JSON.parse(list).esps[0].entries;
  assert.equal(elements.filter(({ name }) => name === 'li').length, entries.length);
  const { output: measured } = await machine.run('measure', '3', '--json');
  const { values } = JSON.parse(measured).boots[0];
  for (const { pcr, hash } of values.sha256) if (pcr === 11) assert.ok(text.includes(hash), hash);
});

test('the holders of space add up to the volume', async (t) => {
  const machine = await aReported(t);
  const [esp] = JSON.parse((await machine.run('report', '--json')).output).esps;
  for (const { total, holders } of esp.volumes) {
    const sum = holders.reduce((all: number, { size }: { size: number }) => all + size, 0);
    assert.equal(sum, total);
  }
});

test('nothing on the page loads or runs anything, whatever lies on the ESP', async (t) => {
  const machine = await aReported(t);
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(1)'>&lt;`;
  machine.put('loader/entries/a.conf', `title ${evil}\nversion ${evil}\nlinux /${evil}\n`);
  machine.put('loader/entries/b<script>.conf', 'title \u202eabc\u0007</title>\nlinux /x\n');
  machine.put('EFI/Linux/<script>alert(1)<b>.efi', 'MZ');
  machine.put(`loader/addons/<script>"'.addon.efi`, 'MZ');
  machine.put('loader/loader.conf', `timeout <script>\ndefault ${evil}\n`);
  const { output } = await machine.run('report');
  const elements = elementsOf(output);
  const loading = ['script', 'img', 'link', 'iframe', 'object', 'embed', 'svg', 'base', 'form'];
  assert.deepEqual(
    elements.filter(({ name }) => loading.includes(name)),
    [],
  );
  const steering = elements.flatMap(({ attributes }) =>
    Object.keys(attributes).filter((name) => /^on|^(src|href|action)$/.test(name)),
  );
  assert.deepEqual(steering, []);
  assert.doesNotMatch(output, /url\(|@import|[^\P{C}\n]/u);
  assert.match(output, /"default-src 'none'; style-src 'unsafe-inline'"/);
  assert.ok(textOf(output).includes('<script>alert(1)</script>'), 'it is told as text');
});

test('each finding has its next step, and the exit status tells that there are some', async (t) => {
  const machine = await aReported(t);
  const [image = ''] = machine.paths(/generation-1-/);
  fs.truncateSync(join(machine.esp, image), 700);
  fs.rmSync(join(machine.esp, 'EFI/systemd/systemd-bootx64.efi'));
  fs.rmSync(`${machine.toplevel(2)}/init`);
  const { status, output } = await machine.run('report', '--json');
  assert.equal(status, 5);
  const { findings, esps } = JSON.parse(output);
  assert.match(findings[0].text, /generation 2 is broken/);
  const steps = new Map(
    esps[0].findings.map(({ path, next }: { path: string; next: string }) => [path, next]),
  );
  assert.equal(steps.get(image), 'espalier repair');
  const { output: looked, status: seen } = await machine.run('status', '--json');
  assert.equal(seen, 5);
  assert.deepEqual(JSON.parse(looked).esps[0].findings, esps[0].findings, 'status tells the same');
  assert.equal(steps.get('EFI/systemd/systemd-bootx64.efi'), 'espalier install');
  machine.put('loader/entries/windows.conf', 'title Windows\nefi /EFI/x.efi\n');
  const page = textOf((await machine.run('report')).output);
  assert.match(page, /Next step: espalier repair/);
  assert.match(page, /windows\.conf: not Espalier’s, and does not boot: EFI\/x\.efi is not there/);
});

test('what status and report tell is one list, of mirrors and of what boots next, too', async (t) => {
  const machine = await aReported(t);
  const mirror = join(machine.root, 'mirror');
  fs.cpSync(machine.esp, mirror, { recursive: true });
  fs.rmSync(join(mirror, 'loader/loader.conf'));
  fs.rmSync(join(mirror, machine.paths(/generation-2-/)[0] ?? ''));
  await machine.run('install', machine.toplevel(1));
  const told = async (verb: string): Promise<readonly { readonly findings: unknown }[]> => {
    const { status, output } = await machine.run(verb, '--json', '--esp', mirror);
    assert.equal(status, 5);
    return JSON.parse(output).esps.map(({ findings }: { findings: unknown }) => findings);
  };
  const [primary, copy] = await told('report');
  assert.deepEqual(await told('status'), [primary, copy]);
  assert.match(JSON.stringify(primary), /what boots next is NOT what the profile says/);
  assert.match(JSON.stringify(copy), /it differs from what the profiles want in 1 file/);
  assert.match(JSON.stringify(copy), /loader\/loader.conf.*it is not there, or too large/);
});

test('a file gets the page as a whole, and an empty ESP has one, too', async (t) => {
  const machine = aMachine(t);
  const file = join(machine.root, 'report.html');
  fs.writeFileSync(file, 'before');
  const { status, output } = await machine.run('report', '--output', file);
  assert.equal(status, 5);
  assert.equal(output, '');
  const page = fs.readFileSync(file, 'utf8');
  assert.ok(elementsOf(page).length > 20);
  assert.match(textOf(page), /nothing is installed here/);
  const { error } = await machine.run('report', '--output', join(machine.root, 'none/report.html'));
  assert.match(error?.message ?? '', /none/);
});
