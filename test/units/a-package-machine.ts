/** A machine in namespaces of its own, on which the hooks are installed and packages bring kernels. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hookFiles } from '../../src/units/hooks.ts';
import { attempt, type Ran } from '../lab/run.ts';

/** Directories of the machine that lie in the one of the test. */
const PLACES = ['/etc', '/boot', '/var/lib', '/var/cache'];

/** What every machine has in `/etc`, besides the hooks. */
const ETC = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\n',
  group: 'root:x:0:\n',
  'os-release': 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  'machine-id': '0123456789abcdef0123456789abcdef\n',
  'kernel/cmdline': 'root=/dev/vda2 ro\n',
};

/** The machine: what lies below `root` is what it sees at these places. */
export class PackageMachine {
  readonly root: string;

  constructor(program: string, systemd: string) {
    this.root = mkdtempSync(join(tmpdir(), 'espalier-packages-'));
    for (const place of [...PLACES, '/boot/efi', '/usr/lib'])
      mkdirSync(join(this.root, place), { recursive: true });
    const settings = {
      esp: ['/boot/efi'],
      systemd,
      'allow-directory': true,
      'allow-unsigned': true,
    };
    const lines = Object.entries(settings).map(
      ([key, value]) => `${key} = ${JSON.stringify(value)}`,
    );
    for (const [path, text] of Object.entries({ ...ETC, 'espalier.toml': `${lines.join('\n')}\n` }))
      this.put(`/etc/${path}`, text);
    const hooks = hookFiles({
      node: process.execPath,
      program,
      library: '/etc/espalier',
      etc: '/etc',
      stateDirectory: '/var/lib/espalier',
    });
    for (const { path, text, isProgram } of hooks) this.put(path, text, isProgram ? 0o755 : 0o644);
  }

  put(path: string, content: Uint8Array | string, mode = 0o644): void {
    const to = join(this.root, path);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, content, { mode });
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** Runs a command of the shell on it. */
  sh(command: string): Ran {
    const binds = PLACES.map((place) => `mount --bind "${this.root}${place}" ${place}`);
    // Its modules are beside the libraries of the machine, which may have no directory for any.
    const lib = `mount -t overlay -o lowerdir="${this.root}/usr/lib:/usr/lib" lib /usr/lib`;
    const script = ['set -e', lib, ...binds, command].join('\n');
    const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', script];
    return attempt('unshare', words);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Why there can be no such machine here, or false. */
export function noNamespaces(): string | false {
  const tried = attempt('unshare', ['--user', '--map-root-user', '--mount', 'true']);
  return tried.status !== 0 && 'SKIPPED: needs unshare and user namespaces';
}
