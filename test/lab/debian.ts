/** Reads packages of any Debian suite from the machine's own mirror, without root and without installing them. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, run } from './run.ts';

/** Where the machine gets Debian from. */
export interface Mirror {
  readonly uri: string;
  /** True when the machine's own source takes it without a signature. */
  readonly trusted: boolean;
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const releases = /^(bookworm|trixie|forky|sid|stable|oldstable|oldoldstable|testing|unstable)$/;

/**
 * Returns the first mirror of Debian's main archive that the machine's own sources name.
 * @throws {Error} when they name none
 */
export function findMirror(etc = '/etc/apt'): Mirror {
  const found = sourceFiles(etc).flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    return path.endsWith('.sources') ? parseSources(text) : parseList(text);
  });
  const [mirror] = found;
  if (mirror === undefined) {
    throw new Error(
      `no mirror of Debian's main archive in ${etc}/sources.list or ${etc}/sources.list.d`,
    );
  }
  return mirror;
}

function sourceFiles(etc: string): readonly string[] {
  const folder = join(etc, 'sources.list.d');
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const files = names
    .filter((name) => /\.(list|sources)$/.test(name))
    .map((name) => join(folder, name));
  return [join(etc, 'sources.list'), ...files].filter((path) => existsSync(path));
}

/** Reads the classic one-line format (sources.list(5)): `deb [options] uri suite component…`. */
export function parseList(text: string): readonly Mirror[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const trusted = /\btrusted=yes\b/i.test(options);
    return mirrors([uri], [suite], words(components), trusted);
  });
}

/** Reads the deb822 format (sources.list(5)): paragraphs of `Field: value`, continued by a leading blank. */
export function parseSources(text: string): readonly Mirror[] {
  const uncommented = text.replace(/^#.*\n?/gm, '');
  return uncommented.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string): string =>
      new RegExp(`^${name}:((?:.*)(?:\\n[ \\t].*)*)`, 'im').exec(paragraph)?.[1]?.trim() ?? '';
    if (/^(no|false|0|off)$/i.test(field('Enabled'))) return [];
    if (!words(field('Types')).includes('deb')) return [];
    const trusted = /^yes$/i.test(field('Trusted'));
    return mirrors(
      words(field('URIs')),
      words(field('Suites')),
      words(field('Components')),
      trusted,
    );
  });
}

function mirrors(
  uris: readonly string[],
  suites: readonly string[],
  components: readonly string[],
  trusted: boolean,
): readonly Mirror[] {
  if (!components.includes('main') || !suites.some((suite) => releases.test(suite))) return [];
  return uris.filter((uri) => !uri.startsWith('cdrom:')).map((uri) => ({ uri, trusted }));
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** One suite of the archive, read through an apt configuration of its own. */
export interface Suite {
  /** The packages that a package depends on, as far as they match `pattern`. */
  dependencies(name: string, pattern: RegExp): readonly string[];
  /** The packages whose names match `pattern`, in no order. */
  matching(pattern: string): readonly string[];
  /** Packages, and all that apt would install with them. */
  closure(names: readonly string[]): readonly string[];
  /** Downloads packages, and returns their files. */
  download(names: readonly string[]): readonly string[];
  /** Downloads packages, unpacks them into `root`, and returns their files. */
  unpack(names: readonly string[], root: string): readonly string[];
}

/** The options of apt for each suite that this process has opened: package lists are fetched and read once. */
const opened = new Map<string, readonly string[]>();

/**
 * Opens a suite: makes a private configuration and fetches its package lists. Packages are downloaded
 * into `folder`.
 * @throws {Error} when the mirror does not answer or does not have the suite
 */
export function openSuite(name: string, folder: string, mirror: Mirror): Suite {
  const options = opened.get(name) ?? fetchLists(name, mirror);
  opened.set(name, options);
  const download = (names: readonly string[]) => {
    const debs = join(folder, 'debs');
    mkdirSync(debs, { recursive: true });
    run('apt-get', [...options, '-qq', 'download', ...names], { cwd: debs });
    return readdirSync(debs)
      .filter((deb) => names.includes(deb.split('_')[0] ?? ''))
      .map((deb) => join(debs, deb));
  };
  return {
    dependencies(packageName, pattern) {
      const text = run('apt-cache', [...options, 'show', '--no-all-versions', packageName]);
      const list = /^Depends: (.*)$/m.exec(text)?.[1] ?? '';
      return words(list.replace(/\([^)]*\)|[,|]/g, ' ')).filter((word) => pattern.test(word));
    },
    matching(pattern) {
      const text = run('apt-cache', [...options, 'search', '--names-only', pattern]);
      return text.split('\n').flatMap((line) => line.split(' ')[0] || []);
    },
    closure(names) {
      const wanted = ['--simulate', '--no-install-recommends', 'install', ...names];
      const text = run('apt-get', [...options, ...wanted]);
      return [...text.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
    },
    download,
    unpack(names, root) {
      mkdirSync(root, { recursive: true });
      const debs = download(names);
      for (const deb of debs) run('dpkg', ['-x', deb, root]);
      return debs;
    },
  };
}

function fetchLists(name: string, mirror: Mirror): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-apt-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const options = configure(name, folder, mirror);
  run('apt-get', [...options, '-qq', 'update']);
  return options;
}

function configure(suite: string, folder: string, mirror: Mirror): readonly string[] {
  mkdirSync(join(folder, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  const list = join(folder, 'sources.list');
  const option = mirror.trusted ? 'trusted=yes' : `signed-by=${keyring}`;
  writeFileSync(list, `deb [arch=amd64 ${option}] ${mirror.uri} ${suite} main\n`);
  const settings = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::Lists': join(folder, 'lists'),
    // what is installed here may be newer than the suite's, and is not what is asked for
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(folder, 'cache'),
    // apt otherwise drops to a user that cannot write into a folder of ours
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    // a mirror may be a snapshot of an old day
    'Acquire::Check-Valid-Until': 'false',
    'APT::Update::Error-Mode': 'any',
  };
  return Object.entries(settings).map(([key, value]) => `-o${key}=${value}`);
}

/** Says whether this is a Debian-like machine of the architecture that the lab knows. */
export function hasDebianTools(): boolean {
  const { status, stdout } = attempt('dpkg', ['--print-architecture']);
  return (
    status === 0 && stdout.trim() === 'amd64' && attempt('apt-get', ['--version']).status === 0
  );
}
