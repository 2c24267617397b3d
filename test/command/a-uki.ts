/** Parts of an image in a folder of a test's own, and the `uki` verbs run on them in this process. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import type { Context } from '../../src/context.ts';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import { plain } from '../../src/process/styled-text.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';

const SBAT = 'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n';

/** The bytes of a stub with a `.sbat`, and room for more sections. */
export const STUB = aPe({
  sizeOfHeaders: 0x1000,
  sections: [
    { name: '.text', bytes: countingBytes(700) },
    { name: '.sbat', bytes: new TextEncoder().encode(`${SBAT}stub,1\n`) },
  ],
});

/** What a run left behind. */
interface Ran {
  readonly status: number;
  readonly output: string;
  readonly error?: EspError;
}

/** A folder with a kernel, an initrd and a stub. */
export class Workbench {
  readonly folder: string;
  environment: Readonly<Record<string, string>> = {};

  constructor(folder: string) {
    this.folder = folder;
    this.put('linux', aPe());
    this.put('initrd', countingBytes(5001));
    this.put('systemd/lib/systemd/boot/efi/linuxx64.efi.stub', STUB);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  put(name: string, content: Uint8Array | string): string {
    fs.mkdirSync(join(this.path(name), '..'), { recursive: true });
    fs.writeFileSync(this.path(name), content);
    return this.path(name);
  }

  bytes(name: string): Uint8Array {
    return Uint8Array.from(fs.readFileSync(this.path(name)));
  }

  names(): string[] {
    return fs.readdirSync(this.folder).sort();
  }

  /** Runs a verb of `uki`, whatever its end. */
  try(args: readonly string[], difference: Partial<WritableDisk> = {}): Promise<Ran> {
    return this.run(['uki', ...args], difference);
  }

  /** Runs any verb. */
  async run(args: readonly string[], difference: Partial<WritableDisk> = {}): Promise<Ran> {
    const lines: string[] = [];
    const real = processContext(pathToFileURL(import.meta.filename));
    const context: Context = {
      ...real,
      disk: { ...real.disk, ...difference },
      environment: this.environment,
      print: (text) => void lines.push(plain(text)),
    };
    try {
      const status = await run(args, '0', context);
      return { status, output: lines.join('\n') };
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      return { status: error.status, output: lines.join('\n'), error };
    }
  }

  /** Builds `out.efi` from kernel and initrd, with more options. */
  build(...more: readonly string[]): Promise<Ran> {
    return this.try(['build', ...this.arguments(), ...more]);
  }

  arguments(): string[] {
    return [
      ...['--linux', this.path('linux'), '--initrd', this.path('initrd'), '--os-release', 'ID=x'],
      ...['--systemd', this.path('systemd'), '--output', this.path('out.efi'), '--quiet'],
    ];
  }

  /** The text of each section of an image that has one, by name. */
  async texts(image = 'out.efi'): Promise<Record<string, string>> {
    const { output, error } = await this.try(['inspect', '--json', this.path(image)]);
    assert.equal(error, undefined);
    const sections = Object.entries(JSON.parse(output) as Record<string, { text?: string }>);
    return Object.fromEntries(sections.flatMap(([name, { text }]) => (text ? [[name, text]] : [])));
  }
}

/** Returns a workbench that is removed after the test. */
export function aWorkbench(t: TestContext): Workbench {
  const folder = fs.mkdtempSync(join(tmpdir(), 'espalier-uki-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return new Workbench(folder);
}
