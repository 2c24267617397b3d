/**
 * `node tools/reference.ts` writes docs/reference.md from the tables of the program: verbs, settings,
 * exit statuses and error codes.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { optionsOf, type VerbDeclaration } from '../src/command/verb.ts';
import { VERBS } from '../src/command/verbs.ts';
import { ERROR_CODES, EspError } from '../src/error.ts';
import { CONFIG_FILE } from '../src/settings/configuration-file.ts';
import type { Option } from '../src/settings/option.ts';
import type { Setting } from '../src/settings/setting.ts';
import { defaultOf, ROWS, settingOptions } from '../src/settings/verb-options.ts';
import { ERROR_MEANINGS, EXIT_STATUSES } from './error-meanings.ts';

/** Where the reference is. */
export const REFERENCE = resolve(import.meta.dirname, '../docs/reference.md');

/** Returns the reference as Markdown. */
export function reference(): string {
  return [
    '<!-- Written by `node tools/reference.ts` from the tables of the program: change those. -->',
    '# Reference',
    'What every option, setting and exit status means. What to do with them is in [tasks.md](tasks.md); the files that are read and written are in [files.md](files.md).',
    ...[
      'verbs',
      'settings',
      'tables of the configuration file',
      'exit statuses',
      'error codes',
    ].map((title) => `- [${capitalised(title)}](#${title.replaceAll(' ', '-')})`),
    ...verbs(),
    ...settings(),
    ...fileTables(),
    ...statuses(),
  ]
    .join('\n\n')
    .replace(/^(- .*\n)\n(?=- )/gm, '$1')
    .concat('\n');
}

function verbs(): readonly string[] {
  return [
    '## Verbs',
    table(
      ['verb', 'what it does'],
      VERBS.map(({ name, summary }) => [`[${code(name)}](#${anchor(name)})`, summary]),
    ),
    'Every verb takes `--json` (print a JSON document, see [files.md](files.md#json-documents); a few verbs have none, and say why), `-v` (log more; `-vv` for every step), `-q` (log errors only), `--log-format text|json` (also `ESPALIER_LOG_FORMAT`: sentences, or JSON for a program), `--color auto|always|never` (see [files.md](files.md#environment-variables)) and `--help`. A verb refuses an option that it does not use.',
    ...VERBS.flatMap(verbSection),
  ];
}

function verbSection(verb: VerbDeclaration): readonly string[] {
  const { name, operands = [], summary, example } = verb;
  const shared = settingOptions(name).map((option) => option.name);
  const own = optionsOf(verb).filter((option) => !shared.includes(option.name));
  const usage = ['espalier', name, '[options]', ...operands.map(({ syntax }) => syntax)].join(' ');
  return [
    `### ${name}`,
    `${capitalised(summary)}.`,
    `\`\`\`\n${usage}\n\`\`\``,
    ...(operands.length === 0
      ? []
      : [
          table(
            ['operand', 'what it is'],
            operands.map((each) => [code(each.syntax), each.help]),
          ),
        ]),
    ...(own.length === 0 ? [] : [table(['option', 'what it does'], own.map(optionRow))]),
    ...(shared.length === 0
      ? []
      : [`[Settings](#settings): ${shared.map((option) => code(`--${option}`)).join(', ')}.`]),
    `Example: ${code(example)}`,
  ];
}

function optionRow({ name, value, repeatable, help }: Option): string[] {
  const flag = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [code(flag), `${help}${repeatable ? '; repeatable' : ''}`];
}

function settings(): readonly string[] {
  const shown = ROWS.filter(([, { isTable }]) => !isTable);
  return [
    '## Settings',
    `A setting \`some-name\` is the option \`--some-name\`, the variable \`ESPALIER_SOME_NAME\`, or the key \`some-name\` in ${code(CONFIG_FILE)}. An option wins over a variable, a variable over the file, and the file over the default. One file serves all verbs: in the file and in variables, a verb passes over settings that it does not use.`,
    `Where an option may be repeated, the file takes a list, and a variable takes values divided by colons. A switch is \`true\` or \`false\`, in a variable also \`1\`, \`yes\`, \`0\` or \`no\`. \`--config\` or \`ESPALIER_CONFIG\` names another file, \`--root\` or \`ESPALIER_ROOT\` another root. \`ESPALIER_EFIVARS\` names another directory of EFI variables than \`/sys/firmware/efi/efivars\`, \`ESPALIER_DEVICES\` another one of links to disks than \`/dev/disk\`.`,
    ...alternatives(),
    table(
      ['setting', 'what it is', 'default', 'used by'],
      shown.map(([name, row]) => [
        code(row.value === undefined ? name : `${name} ${row.value}`),
        `${row.help}${row.repeatable ? '; repeatable' : ''}`,
        defaultText(row),
        row.verbs.join(', '),
      ]),
    ),
  ];
}

/** A name or a path stands as code, a phrase as it is. */
function defaultText(row: Setting): string {
  if (row.fallback !== undefined) return row.fallback;
  const told = defaultOf(row);
  if (told !== undefined) return code(told);
  return row.value === undefined ? code('false') : '';
}

function alternatives(): readonly string[] {
  const groups = Map.groupBy(
    ROWS.filter(([, row]) => row.alternatives !== undefined),
    ([, row]) => row.alternatives,
  );
  return [...groups.values()].map((rows) => {
    const names = rows.map(([name]) => code(name)).join(', ');
    return `${names} are alternatives: one of them on the command line takes the place of all that the environment or the file names, and one in the environment of all that the file names.`;
  });
}

function fileTables(): readonly string[] {
  const rows = ROWS.filter(([, { isTable }]) => isTable);
  return [
    '## Tables of the configuration file',
    'Only the configuration file can say these.',
    table(
      ['table', 'what it holds', 'keys'],
      rows.map(([name, { help, keys = [] }]) => [
        code(`[${name}]`),
        help,
        keys.map(code).join(', ') || 'any',
      ]),
    ),
  ];
}

function statuses(): readonly string[] {
  return [
    '## Exit statuses',
    table(
      ['status', 'meaning'],
      EXIT_STATUSES.map(([status, meaning]) => [String(status), meaning]),
    ),
    '## Error codes',
    'An error ends with its code in brackets, so that programs and searches find it. The status follows from the code.',
    table(
      ['code', 'status', 'meaning'],
      ERROR_CODES.map((each) => [
        code(each),
        String(new EspError(each, '').status),
        ERROR_MEANINGS[each],
      ]),
    ),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** A bar would end the cell, inside code too. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function code(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** The link of a heading, as Markdown on the web makes it. */
function anchor(heading: string): string {
  return heading.replaceAll(' ', '-');
}

function capitalised(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

if (import.meta.main) writeFileSync(REFERENCE, reference());
