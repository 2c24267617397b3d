/** The watcher as a process of its own on a machine in a temporary directory. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAIN, type Machine } from '../command/a-machine.ts';
import { usedBy } from '../support/used-by.ts';

/** A line of the log. */
export interface LogLine {
  /** pino's: 20 debug, 30 info, 40 warning, 50 error. */
  readonly level: number;
  readonly msg: string;
  readonly code?: string;
  readonly was?: string;
}

/** How a service differs from a plain one. */
export interface ServiceOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The file that its stderr is, instead of a pipe that is read as the log. */
  readonly stderr?: number;
}

const PATIENCE = 120_000;

/** Waits until something is so. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `${what}: waited in vain`);
    await sleep(10);
  }
}

/** A running watcher. */
export class Service {
  readonly child: ChildProcess;
  readonly text: string[] = [];

  constructor(machine: Machine, { args = [], environment, stderr }: ServiceOptions = {}) {
    this.child = spawnVerb(
      machine,
      'watch',
      ['--debounce', '20', '--log-format', 'json', ...args],
      environment,
      stderr,
    );
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.text.push(text));
  }

  get log(): readonly LogLine[] {
    const lines = this.text.join('').split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** The lines that a person sees, and what makes each the one it is. */
  get said(): readonly string[] {
    return this.log.filter(({ level }) => level > 20).map(({ msg, code }) => code ?? msg);
  }

  /** How many passes it has made; counted with `-v` only. */
  get passes(): number {
    return this.log.filter(({ msg }) => msg === 'looked').length;
  }

  /** Waits until it has made more passes. */
  async looks(times: number): Promise<void> {
    const goal = this.passes + times;
    await until(`${goal} passes`, () => this.passes >= goal);
  }

  /** Sends a signal that ends it, and returns its exit status. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const exited = this.child.exitCode === null ? once(this.child, 'exit') : undefined;
    this.child.kill(signal);
    await exited;
    return this.child.exitCode;
  }
}

function spawnVerb(
  machine: Machine,
  verb: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  stderr: number | 'pipe' = 'pipe',
): ChildProcess {
  const { NOTIFY_SOCKET: _socket, JOURNAL_STREAM: _stream, ...inherited } = process.env;
  return spawn(
    process.execPath,
    [MAIN, ...usedBy([verb, ...machine.arguments(), '--allow-unsigned', ...args])],
    {
      stdio: ['ignore', 'ignore', stderr],
      env: { ...inherited, ...machine.environment(), ...environment },
      timeout: 2 * PATIENCE,
      killSignal: 'SIGKILL',
    },
  );
}

/** Starts a watcher that is ended with the test. */
export function aService(t: TestContext, machine: Machine, options?: ServiceOptions): Service {
  const service = new Service(machine, options);
  t.after(() => service.end('SIGKILL'));
  return service;
}

/** Runs a verb as a process and returns its exit status and what it wrote to stderr. */
export async function runVerb(machine: Machine, verb: string, ...args: readonly string[]) {
  const child = spawnVerb(machine, verb, args);
  let error = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    error += text;
  });
  await once(child, 'close');
  return { status: child.exitCode, error };
}

/** A program in the place of `systemd-notify` that writes down what it is told. */
export interface Notified {
  readonly environment: Readonly<Record<string, string>>;
  /** One line for each message: its assignments. */
  messages(): readonly string[];
}

/** Makes such a program. */
export function aNotify(machine: Machine): Notified {
  const bin = join(machine.root, 'bin');
  const file = join(machine.root, 'notified');
  fs.mkdirSync(bin);
  fs.writeFileSync(
    join(bin, 'systemd-notify'),
    '#!/bin/sh\nprintf "%s;" "$@" >> "$NOTIFY_SOCKET"\necho >> "$NOTIFY_SOCKET"\n',
    { mode: 0o755 },
  );
  fs.writeFileSync(file, '');
  return {
    environment: { NOTIFY_SOCKET: file, PATH: `${bin}:${process.env['PATH']}` },
    messages: () => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1),
  };
}
