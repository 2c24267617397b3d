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

/** Shell lines that run those that did not run before a restart. The number of the next one lies in `/next`. */
export const runNext = `while number=$(cat /next); test -e /commands/$number; do
  echo $((number + 1)) > /next
  echo "${mark} begin $number"
  sh /commands/$number 2>&1
  echo "
${mark} end $number $?"
done`;

/** Returns the commands as scripts in the guest. */
export function commandMembers(commands: readonly string[]): readonly Member[] {
  return commands.map((command, index) => memberOf(`commands/${index}`, `${command}\n`));
}

/**
 * Returns what each command did, as the console tells it. One that is undefined is passed over.
 * @throws {Error} with the end of the console when the machine did not come to the last command
 */
export function findAllRan(
  text: string,
  commands: readonly (string | undefined)[],
): readonly GuestRan[] {
  return commands.flatMap((command, index) =>
    command === undefined ? [] : [findRan(text, command, index)],
  );
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
