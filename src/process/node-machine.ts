/** The only adapter of the Machine port: the machine that Node runs on. */
import * as fs from 'node:fs';
import { delimiter, join } from 'node:path';
import { boundedEnvironment } from './environment.ts';
import { lastLines } from './last-words.ts';
import type { Answer, Environment, Machine, Question } from './machine.ts';
import { openRaw } from './raw-file.ts';

/** Returns the machine. A second thread is started from `program`, the program's own file. */
export function nodeMachine(program: URL): Machine {
  // Modules for programs and threads are loaded when needed: an idle run needs none.
  return {
    program,
    run: async (child, bounds) => (await import('./child-program.ts')).runProgram(child, bounds),
    ask: (question) => ask(question),
    findProgram,
    async *filter(argv, environment, stream) {
      yield* (await import('./filter.ts')).filtered(argv, environment, stream);
    },
    startThread: async (argument, job) =>
      (await import('./thread.ts')).startThread(program, argument, job),
    openRaw,
  };
}

/** Only signing by a command needs this module, and it cannot wait. Node always has it. */
const children = () => process.getBuiltinModule('node:child_process');

function ask({ argv, input, timeout, limit, messages }: Question): Answer {
  const [program = '', ...args] = argv;
  const { status, signal, stdout, stderr, error } = children().spawnSync(program, args, {
    ...(input && { input }),
    stdio: ['pipe', 'pipe', messages === 'shown' ? 'inherit' : 'pipe'],
    timeout,
    maxBuffer: limit,
  });
  const said = messages === 'shown' ? '' : lastLines(new TextDecoder().decode(stderr));
  return { status, signal, stdout, messages: said, error };
}

/** The kernel decides whether this process may run a file, whatever disk the work is on. */
function findProgram(name: string, environment: Environment): string | undefined {
  const places = boundedEnvironment(environment)['PATH']?.split(delimiter) ?? [];
  return places
    .filter((place) => place !== '')
    .map((place) => join(place, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return true;
  } catch {
    return false; // the file is absent, or this process may not run it
  }
}
