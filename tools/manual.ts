/**
 * Writes manual pages from the tables of the program: espalier(8), one for each verb, and
 * espalier.toml(5). They are text for man(1), in the macros of man(7).
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { commonOptionsOf, optionsOf, type VerbDeclaration } from '../src/command/verb.ts';
import { VERBS } from '../src/command/verbs.ts';
import { CONFIG_FILE } from '../src/settings/configuration-file.ts';
import type { Option } from '../src/settings/option.ts';
import { defaultOf, ROWS } from '../src/settings/verb-options.ts';
import { EXIT_STATUSES } from './error-meanings.ts';

/** A manual page: the name of its file, and its text. */
export interface Page {
  readonly name: string;
  readonly text: string;
}

/** Returns every page. `version` stands in the footer. */
export function pages(version: string): readonly Page[] {
  const made = [overview(), ...VERBS.map(verbPage), settingsPage()];
  return made.map(({ name, text }) => ({ name, text: text.replaceAll('@VERSION@', version) }));
}

/** Writes every page into a directory, which has no other files afterwards. */
export function writePages(directory: string, version: string): readonly string[] {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return pages(version).map(({ name, text }) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  });
}

function overview(): Page {
  return page('espalier', 8, 'installs boot entries on an EFI System Partition', [
    section('SYNOPSIS', '.B espalier', plain('VERB [options] [operands]')),
    section(
      'DESCRIPTION',
      plain(
        'Puts the boot entries of generations onto the EFI System Partition, so that the machine always boots a generation that was whole: pull the plug at any moment, fill the disk, corrupt any file; the next run heals the rest.',
      ),
    ),
    section('VERBS', ...VERBS.map((verb) => item(reference(verb), verb.summary))),
    section('EXIT STATUS', ...EXIT_STATUSES.map(([status, help]) => item(String(status), help))),
    section(
      'FILES',
      item(CONFIG_FILE, 'settings, see espalier.toml(5)'),
      item('/var/cache/espalier', 'what was learnt about files; deleting it costs time'),
    ),
    seeAlso('espalier.toml(5)', 'bootctl(1)', 'systemd-boot(7)', 'systemd-stub(7)'),
  ]);
}

function verbPage(verb: VerbDeclaration): Page {
  const { name, operands = [], summary, example } = verb;
  const syntax = operands.map((each) => each.syntax).join(' ');
  return page(pageName(verb), 8, summary, [
    section('SYNOPSIS', `.B ${escaped(`espalier ${name}`)}`, plain(`[options] ${syntax}`.trim())),
    section('DESCRIPTION', plain(`${capitalised(summary)}.`)),
    ...(operands.length === 0
      ? []
      : [section('OPERANDS', ...operands.map((each) => item(each.syntax, each.help)))]),
    section('OPTIONS', ...[...optionsOf(verb), ...commonOptionsOf(verb)].map(optionItem)),
    section('EXAMPLE', '.nf', escaped(example), '.fi'),
    seeAlso('espalier(8)', 'espalier.toml(5)'),
  ]);
}

function settingsPage(): Page {
  const rows = ROWS.map(([name, row]) => {
    const told = defaultOf(row);
    const help = told === undefined ? row.help : `${row.help} (default: ${told})`;
    const key = row.isTable ? `[${name}]` : name;
    return item(key, `${help}${row.repeatable ? '; a list where there are more' : ''}`);
  });
  return page('espalier.toml', 5, 'settings of espalier', [
    section(
      'DESCRIPTION',
      plain(
        `${CONFIG_FILE} holds settings in TOML. A setting some-name is the option --some-name, the variable ESPALIER_SOME_NAME or the key some-name. An option wins over a variable, a variable over the file, and the file over the default.`,
      ),
    ),
    section('SETTINGS', ...rows),
    section(
      'EXAMPLE',
      '.nf',
      ...['limit = 10', 'certificate = "/var/lib/sbctl/keys/db/db.pem"'],
      '.fi',
    ),
    seeAlso('espalier(8)', 'espalier\\-config\\-check(8)'),
  ]);
}

function page(name: string, chapter: number, summary: string, sections: readonly string[]): Page {
  const head = `.TH "${escaped(name.toUpperCase())}" "${chapter}" "" "espalier @VERSION@" "Espalier"`;
  const title = section('NAME', `${escaped(name)} \\- ${escaped(summary)}`);
  return { name: `${name}.${chapter}`, text: `${[head, title, ...sections].join('\n')}\n` };
}

function section(title: string, ...lines: readonly string[]): string {
  return [`.SH ${title}`, ...lines].join('\n');
}

function item(tag: string, help: string): string {
  return ['.TP', `.B ${escaped(tag)}`, plain(capitalised(help))].join('\n');
}

function optionItem({ name, value, repeatable, help }: Option): string {
  const flag = value === undefined ? `--${name}` : `--${name} ${value}`;
  return item(flag, `${help}${repeatable ? '; may be given more than once' : ''}`);
}

function seeAlso(...names: readonly string[]): string {
  return section('SEE ALSO', names.join(',\n'));
}

function pageName({ name }: VerbDeclaration): string {
  return `espalier-${name.replaceAll(' ', '-')}`;
}

function reference(verb: VerbDeclaration): string {
  return `${pageName(verb)}(8)`;
}

/** A line that begins with a dot or an apostrophe would be a request. */
function plain(text: string): string {
  return escaped(text).replace(/^(?=[.'])/, '\\&');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq');
}

function capitalised(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** Where the pages are made. */
export const MANUAL = resolve(import.meta.dirname, '../dist/man');
