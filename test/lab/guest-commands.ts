/** How a guest runs a list of shell commands and how what each did is found on its console. */
import { type Member, memberOf } from './cpio.ts';

/** What one command did. Standard output and error are one text, in their order. */
export interface GuestRan {
  readonly command: string;
  readonly status: number;
  readonly output: string;
}

const mark = 'ESPALIER-GUEST';

/** Shell lines that run every command of `commandMembers`, one after another whatever their status. */
export const runCommands = `for script in $(ls /commands | sort -n); do
  echo "${mark} begin $script"
  sh /commands/$script 2>&1
  echo "
${mark} end $script $?"
done`;

/** Returns the commands as scripts in the guest. */
export function commandMembers(commands: readonly string[]): readonly Member[] {
  return commands.map((command, index) => memberOf(`commands/${index}`, `${command}\n`));
}

/**
 * Returns what each command did, as the console tells it.
 * @throws {Error} with the end of the console when the machine did not come to the last command
 */
export function findAllRan(text: string, commands: readonly string[]): readonly GuestRan[] {
  return commands.map((command, index) => findRan(text, command, index));
}

function findRan(text: string, command: string, index: number): GuestRan {
  const pattern = new RegExp(`${mark} begin ${index}\\n([^]*?)\\n?${mark} end ${index} (\\d+)`);
  const [, output = '', status] = pattern.exec(text) ?? [];
  if (status === undefined) {
    throw new Error(
      `the guest did not finish "${command}"; its console ends: ${text.slice(-2000)}`,
    );
  }
  return { command, status: Number(status), output };
}
