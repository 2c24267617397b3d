/** The command line of installed kernels, from the places where kernel-install finds it. */
import { type Context, isElsewhere } from '../context.ts';
import { EspError } from '../error.ts';
import { splitParams } from '../generation/synthesise.ts';
import { runningCmdline } from '../survey/booted.ts';
import { SYSTEM_PARAMETER } from '../uki/cmdline.ts';

/** A command line, and what a person should know of it. */
export interface KernelCmdline {
  /** The file that says it; undefined when it is that of the running kernel. */
  readonly file?: string;
  readonly parameters: readonly string[];
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

const FILES = ['/etc/kernel/cmdline', '/usr/lib/kernel/cmdline'];
/** In bytes. */
const LIMIT = 64 * 1024;

/** What boot loaders add, and we ourselves. */
const OF_LOADERS = ['BOOT_IMAGE', 'initrd', 'systemd.machine_id', SYSTEM_PARAMETER];

/**
 * Returns the command line of installed kernels: `/etc/kernel/cmdline`, else `/usr/lib/kernel/cmdline`,
 * else that of the running kernel without what loaders add. kernel-install can name another directory.
 * @throws {CONFIG_INVALID} when none of them is there, or what is there is no text
 */
export function kernelCmdline(
  context: Pick<Context, 'disk' | 'host' | 'environment'>,
): KernelCmdline {
  const { disk, environment } = context;
  const given = environment['KERNEL_INSTALL_CONF_ROOT'];
  const file = (given ? [`${given}/cmdline`] : FILES).find(
    (path) => disk.stat(path)?.kind === 'file',
  );
  if (file !== undefined) return fromFile(file, new TextDecoder().decode(disk.read(file, LIMIT)));
  const running = isElsewhere(context) ? undefined : runningCmdline(disk);
  if (running === undefined) {
    throw new EspError('CONFIG_INVALID', `${FILES[0]}: there is no command line for kernels`, {
      hint: 'write it there, as root=UUID=… ro quiet',
    });
  }
  return {
    parameters: splitParams(running).filter(
      (word) => !OF_LOADERS.some((name) => word.startsWith(`${name}=`)),
    ),
    notes: [`the command line is that of the running kernel: ${FILES[0]} would say another`],
    warnings: [],
  };
}

/** Only a whole line is a comment: behind a parameter, `#` and what follows go to the kernel. */
function fromFile(file: string, text: string): KernelCmdline {
  if (/[\0\ufffd]/.test(text)) {
    throw new EspError('CONFIG_INVALID', `${file}: expected UTF-8 text, got other bytes or a NUL`, {
      hint: 'write it anew as plain text, as root=UUID=… ro quiet',
    });
  }
  const lines = text.split(/\r?\n/).filter((line) => !/^\s*#/.test(line));
  const parameters = lines.flatMap(splitParams);
  const left = parameters.find((word) => word.startsWith('#'));
  const warning = `${file}: ${left} and what follows go to the kernel: a comment has a line of its own`;
  return { file, parameters, notes: [], warnings: left === undefined ? [] : [warning] };
}
