/** Generations that nobody's build would make: documents, texts and paths that were written by hand. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { BOOTSPEC, SPECIALISATIONS } from '../../src/generation/bootspec.ts';
import type { Machine } from '../command/a-machine.ts';

/** A `boot.json` as it is read. */
export type Document = Record<string, Record<string, unknown>>;

/** Returns what is in place of a generation's `boot.json`. */
export type Forgery = (document: Document, machine: Machine) => Document | string;

const STEERING = '\u001b]0;owned\u0007\u001b[2J\u009b1m\u202e\u200b\ud800\r';
const LONG = 'x'.repeat(65_536);

/** The document with other values of the bootspec itself. */
const say =
  (change: Readonly<Record<string, unknown>>): Forgery =>
  (document) => ({ ...document, [BOOTSPEC]: { ...document[BOOTSPEC], ...change } });

/** The document with specialisations of these names, each as the generation itself but for a parameter. */
const specialised =
  (...names: readonly string[]): Forgery =>
  (document) => {
    const child = (name: string) => ({
      [BOOTSPEC]: { ...document[BOOTSPEC], kernelParams: [`name=${names.indexOf(name)}`] },
    });
    const children = JSON.stringify(Object.fromEntries(names.map((name) => [name, child(name)])));
    return JSON.stringify(document).replace(
      `"${SPECIALISATIONS}":{}`,
      `"${SPECIALISATIONS}":${children}`,
    );
  };

/** The document as text with a part of it replaced. */
const spelled =
  (from: string, to: string): Forgery =>
  (document) =>
    JSON.stringify(document).replace(from, to);

/** What is installed like any other: strange texts are for people to look at. */
export const STRANGE: Readonly<Record<string, Forgery>> = {
  'a label of several lines': say({ label: 'one\ndefault evil.conf\nlinux /evil\n' }),
  'a label that is a path': say({ label: '../../../etc/passwd' }),
  'a label of quotes': say({ label: `"'\`$(reboot)\\"` }),
  'a label that steers a terminal': say({ label: STEERING }),
  'a label of sixty-four kilobytes': say({ label: LONG }),
  'an empty label': say({ label: '' }),
  'a label of NULs': say({ label: '\0\0x' }),
  'a specialisation that is a path': specialised('../../../etc', '..', '.', '/'),
  'a specialisation that steers a terminal': specialised(STEERING),
  'a specialisation of several lines': specialised('a\nlinux /evil\n'),
  'a specialisation of sixty-four kilobytes': specialised(LONG),
  'a specialisation without a name': specialised(''),
  'specialisations that differ in case': specialised('Gaming', 'gaming', 'GAMING', 'gamin\u0261'),
  'specialisations named after what objects have': specialised(
    '__proto__',
    'constructor',
    'toString',
  ),
  'forty specialisations': specialised(...Array.from({ length: 40 }, (_, at) => `s${at}`)),
  'keys of other worlds': (document) => ({
    ...document,
    __proto__: { x: {} },
    constructor: { x: 1 },
  }),
  'a prototype': spelled('{', '{"__proto__":{"system":"evil"},'),
  'a key that stands there twice': spelled('"label":', '"label":"first","label":'),
  'parameters with quotes and blanks': say({ kernelParams: ['"a b" \'c', '\\', '`'] }),
};

const kernelAt = (path: string): Forgery => say({ kernel: path });

/** A path in the machine at which something was made. */
const made =
  (key: string, make: (path: string) => void): Forgery =>
  (document, machine) => {
    const path = join(machine.root, 'planted');
    fs.rmSync(path, { recursive: true, force: true });
    make(path);
    return say({ [key]: path })(document, machine);
  };

const pipe = (path: string) => void spawnSync('mkfifo', [path]);
const loop = (path: string) => fs.symlinkSync('planted', path);

/** What is set apart with a reason. */
export const BROKEN: Readonly<Record<string, Forgery>> = {
  'a command line of sixty kilobytes': say({ kernelParams: [`x=${'y'.repeat(60_000)}`] }),
  'sixty thousand parameters': say({ kernelParams: Array.from({ length: 60_000 }, () => 'x') }),
  'a document of a hundred megabytes': (document) =>
    `${JSON.stringify(document)}${' '.repeat(100 * 2 ** 20)}`,
  'a document of a million levels': () => '['.repeat(1_000_000),
  'a document of a thousand levels': () => `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`,
  'an empty document': () => '',
  'a document that is an array': () => '[]',
  'a document that is null': () => 'null',
  'a document that is text': () => JSON.stringify(STEERING),
  'a document that is cut short': (document) => JSON.stringify(document).slice(0, -3),
  'a document with a NUL behind it': (document) => `${JSON.stringify(document)}\0`,
  'a document that steers a terminal': () => STEERING,
  'a bootspec that is an array': (document) => JSON.stringify({ ...document, [BOOTSPEC]: [] }),
  'a bootspec of another version': () => '{"org.nixos.bootspec.v9":{}}',
  'a system that is a number': say({ system: 7 }),
  'a label that is an object': say({ label: {} }),
  'parameters that are a text': say({ kernelParams: 'quiet' }),
  'parameters that are numbers': say({ kernelParams: [1, 2] }),
  'a parameter with a NUL': say({ kernelParams: ['a\0b'] }),
  'a parameter of several lines': say({ kernelParams: ['a\nlinux /evil'] }),
  'an init with a blank': say({ init: '/nix/store/x/init quiet' }),
  'an init that steers a terminal': say({ init: `/${STEERING}` }),
  'specialisations that are a list': (document) => ({
    ...document,
    [SPECIALISATIONS]: [] as never,
  }),
  'a specialisation that is none': (document) => ({ ...document, [SPECIALISATIONS]: { x: 7 } }),
  'a kernel that never ends': kernelAt('/dev/zero'),
  'a kernel that is full': kernelAt('/dev/full'),
  'a kernel that is a directory': kernelAt('/'),
  'a kernel in a process': kernelAt('/proc/self/mem'),
  'a kernel with a relative path': kernelAt('kernel'),
  'a kernel with a NUL in its path': kernelAt('/kernel\0'),
  'a kernel with a path of sixty-four kilobytes': kernelAt(`/${LONG}`),
  'a kernel that is nowhere': kernelAt('/../../nonexistent/../kernel'),
  'a kernel that is a pipe': made('kernel', pipe),
  'a kernel that is a link to itself': made('kernel', loop),
  'a kernel that is no program': made('kernel', (path) => fs.writeFileSync(path, STEERING)),
  'an initrd that is a pipe': made('initrd', pipe),
  'an initrd that is a directory': made('initrd', (path) => fs.mkdirSync(path)),
  'an initrd that is empty': made('initrd', (path) => fs.writeFileSync(path, '')),
  'an initrd that never ends': say({ initrd: '/dev/zero' }),
  'a program for secrets that is a device': say({ initrdSecrets: '/dev/zero' }),
  'a program for secrets that is no program': made('initrdSecrets', (path) => {
    fs.writeFileSync(path, 'x', { mode: 0o755 });
  }),
  'a toplevel that is a file': made('toplevel', (path) => fs.writeFileSync(path, 'x')),
};

/** Bodies of programs that append secrets, and fail at it or are stopped. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  'never ends': 'while :; do sleep 1; done',
  'ignores that it is to end': "trap '' TERM INT HUP; while :; do sleep 1; done",
  'writes without end': 'while :; do head -c 1000000 /dev/zero >> "$1"; done',
  'claims ten gigabytes': 'truncate -s 10G "$1"',
  'removes the initrd': 'rm "$1"',
  'empties the initrd': ': > "$1"',
  'puts a link in place of the initrd': 'rm "$1"; ln -s /etc/passwd "$1"',
  'puts a pipe in place of the initrd': 'rm "$1"; mkfifo "$1"',
  'puts a directory in place of the initrd': 'rm "$1"; mkdir "$1"',
  'removes everything around it': 'rm -r "$TMPDIR"',
  'complains without end': 'while :; do printf "\\033[2J%01000d" 0 >&2; done',
  'leaves children and fails': '(sleep 600; : "$1") & (sleep 600; : "$1") & exit 9',
};
