/** `kernel add`, `remove`, `sync` and `list`: the kernels that packages install, as generations. */
import type { Context } from '../context.ts';
import { EXIT_WARNINGS } from '../error.ts';
import { openSource } from '../generation/sources.ts';
import {
  addKernels,
  type ChangedKernel,
  type Changing,
  type KernelChange,
  removeKernels,
  syncKernels,
} from '../kernels/change.ts';
import { findKernel } from '../kernels/installed.ts';
import type { Part, Text } from '../process/styled-text.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { bootedSystem } from '../survey/booted.ts';
import { joined } from '../terminal/lines.ts';
import { openLog } from '../terminal/log.ts';
import { printable } from '../terminal/printable.ts';
import { formatTable } from '../terminal/table.ts';
import { acquireLock, lockDirectory } from '../transaction/lock.ts';

/** Keeps one kernel. */
export function kernelAdd(invocation: Invocation, context: Context): Promise<number> {
  const [release = '', image, ...initrds] = invocation.operands;
  return change('kernel add', invocation, context, (changing) =>
    addKernels([findKernel(release, context.disk, { image, initrds })], changing),
  );
}

/** Forgets one kernel. One that is not kept is no error, because a package may be removed twice. */
export function kernelRemove(invocation: Invocation, context: Context): Promise<number> {
  const [release] = invocation.operands;
  return change('kernel remove', invocation, context, async (changing) => {
    const done = removeKernels((each) => each === release, changing);
    if (done.kernels.length > 0) return done;
    return {
      ...done,
      notes: [`${release} is not kept: there was nothing to forget`, ...done.notes],
    };
  });
}

/** Makes what is kept equal what is installed. */
export function kernelSync(invocation: Invocation, context: Context): Promise<number> {
  return change('kernel sync', invocation, context, syncKernels);
}

/** Runs a change under the lock, and tells what became of each kernel. */
async function change(
  verb: string,
  { flags, json, verbosity }: Invocation,
  context: Context,
  run: (changing: Changing) => Promise<KernelChange>,
): Promise<number> {
  const { 'without-initrd': without, ...others } = flags;
  const { disk, host, environment, uid, print } = context;
  const settings = await readSettings({ ...others, source: 'kernels' }, environment, disk);
  const log = openLog(verbosity);
  using _lock = await acquireLock({
    disk: host,
    directory: lockDirectory(environment, uid),
    key: 'kernels',
    verb,
    timeoutSeconds: settings['lock-timeout'],
    onWait: (holder) => log.warn({ holder }, 'waiting'),
  });
  const done = await run({ settings, context, withoutInitrd: without === true });
  const { kernels, next, notes, warnings } = done;
  if (json) {
    print(
      JSON.stringify(
        { version: 1, verb, kernels, next: next ?? null, notes, warnings },
        undefined,
        2,
      ),
    );
  } else {
    for (const line of [...kernels.map(told), nextLine(next), ...notes]) print(line);
  }
  for (const warning of warnings) log.warn(warning);
  const isStuck = next === undefined && kernels.some(({ is }) => is !== 'removed');
  return warnings.length > 0 || isStuck ? EXIT_WARNINGS : 0;
}

const WORDS = { added: 'added', unchanged: 'as before', removed: 'removed', failed: 'not kept' };

function told({ release, generation, is }: ChangedKernel): string {
  const number = generation === undefined ? '' : ` is generation ${generation}`;
  return `${release}${number}: ${WORDS[is]}`;
}

function nextLine(next: number | undefined): string {
  if (next === undefined) return 'no kernel is kept that can boot next';
  return `generation ${next} is the current one: \`espalier install\` makes it boot next`;
}

/** Lists the kernels that are kept, the newest first. */
export async function kernelList({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings({ ...flags, source: 'kernels' }, environment, disk);
  const { generations, malformed, pinned, current } = openSource(settings, disk).read();
  const running = bootedSystem(settings, context);
  const kernels = [
    ...generations.map(({ number, release, toplevel, builtAt }) => ({
      release,
      generation: number,
      added: new Date(builtAt * 1000).toISOString(),
      current: current.includes(toplevel),
      running: toplevel === running,
      pinned: pinned.has(toplevel),
    })),
    ...malformed.map(({ number, release, cause }) => ({
      release,
      generation: number,
      broken: cause.message,
    })),
  ];
  if (json) print(JSON.stringify({ version: 1, verb: 'kernel list', kernels }, undefined, 2));
  else if (kernels.length === 0)
    print('no kernels are kept: `espalier kernel sync` keeps those that are installed');
  else print(formatTable(HEAD, kernels.map(row)));
  return malformed.length > 0 ? EXIT_WARNINGS : 0;
}

const HEAD = ['KERNEL', 'GENERATION', 'ADDED', 'STATE'] as const;

function row(kernel: {
  readonly release?: string | undefined;
  readonly generation: number;
  readonly added?: string;
  readonly current?: boolean;
  readonly running?: boolean;
  readonly pinned?: boolean;
  readonly broken?: string;
}): Text[] {
  const { release = 'unknown', generation, added = '', broken } = kernel;
  const states: readonly Part[] = [
    ...(['running', 'current', 'pinned'] as const).filter((state) => kernel[state]),
    ...(broken === undefined
      ? []
      : [{ text: `broken: ${printable(broken)}`, meaning: 'bad' } as const]),
  ];
  return [printable(release), String(generation), added.slice(0, 10), joined(states, ', ')];
}
