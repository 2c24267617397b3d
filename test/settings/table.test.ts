/** The table of settings: what each row must say, and what follows from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { optionsOf } from '../../src/command/verb.ts';
import { VERBS } from '../../src/command/verbs.ts';
import { ROWS, settingOptions } from '../../src/settings/verb-options.ts';

const flagsOf = (verb: string) => settingOptions(verb).map(({ name }) => name);

test('every setting is used by a verb that exists, and named once', () => {
  const verbs = VERBS.map(({ name }) => name);
  for (const [name, row] of ROWS) {
    assert.ok(row.verbs.length > 0, name);
    for (const verb of row.verbs) assert.ok(verbs.includes(verb), `${name}: ${verb}`);
    assert.equal(new Set(row.verbs).size, row.verbs.length, name);
  }
});

test('no verb has two options of one name', () => {
  for (const verb of VERBS) {
    const names = optionsOf(verb).map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, verb.name);
  }
});

test('plan, watch and repair take the options of install, so that one command line serves them all', () => {
  for (const verb of ['plan', 'watch', 'repair']) {
    assert.deepEqual(flagsOf(verb), flagsOf('install'), verb);
  }
});

test('a verb that only looks has no option that only a run that writes uses', () => {
  assert.deepEqual(flagsOf('pin'), ['profiles', 'source', 'state-dir', 'pins']);
  assert.deepEqual(flagsOf('keys status'), ['esp', 'allow-insecure-key', 'allow-directory']);
  for (const verb of ['list', 'verify', 'status']) {
    assert.ok(!flagsOf(verb).includes('pcrlock-directory'), verb);
  }
});

test('no flag says a table of the configuration file', () => {
  const flags = VERBS.flatMap((verb) => flagsOf(verb.name));
  for (const [name, { isTable }] of ROWS) assert.equal(flags.includes(name), !isTable, name);
});

test('a default is told once: by the schema, or by a phrase where it depends on the machine', () => {
  for (const [name, { schema, fallback, help }] of ROWS) {
    const told = 'default' in schema ? schema.default : undefined;
    const isEmpty = told === undefined || JSON.stringify(told) === '{}';
    assert.ok(fallback === undefined || isEmpty, name);
    assert.doesNotMatch(help, /default:/, name);
  }
});

test('the help of an option ends with its default', () => {
  const help = (name: string) => settingOptions('install').find((each) => each.name === name)?.help;
  assert.match(help('limit') ?? '', /\(default: 0\)$/);
  assert.match(
    help('esp') ?? '',
    /\(default: the first FAT .* of \/efi, \/boot and \/boot\/efi\)$/,
  );
  assert.doesNotMatch(help('force') ?? '', /default/);
});
