/** What the texts of a menu entry of ours tell of its generation. Pure. */
import type { MenuEntry } from '../plan/menu.ts';
import { printable } from '../terminal/printable.ts';

/** The version of an entry of ours ends with the day on which its generation was built. */
export function builtOf({ name, version = '' }: MenuEntry): string {
  return (name === undefined ? undefined : /\d{4}-\d\d-\d\d$/.exec(version)?.[0]) ?? '';
}

/** The title of an entry of ours names the kernel, or its version begins with it. */
export function kernelOf({ name, title = '', version = '' }: MenuEntry): string {
  if (name === undefined) return '';
  const found = /\(Linux ([^()]+)\)/.exec(title) ?? /^(\d[^\s,]*),/.exec(version);
  return printable(found?.[1] ?? '');
}
