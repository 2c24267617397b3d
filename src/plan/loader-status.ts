/** Describes a copy of the boot loader for a status. Pure. */
import type { EspPath } from '../esp/layout.ts';
import { SIGNATURE_PROBLEMS } from '../loader/upgrade.ts';
import type { LoaderView } from './view.ts';

/** One copy of the loader. */
export interface LoaderStatus {
  readonly path: EspPath;
  readonly is: string;
  /** Why firmware would not start ours here, as far as known; undefined for another system's loader. */
  readonly problem?: string;
}

/** Tells whether ours does not start from a copy, or is not in its place. */
export function lacksOurs({ is, problem }: LoaderStatus): boolean {
  return problem !== undefined || is === 'foreign';
}

/** Returns what each loader is. No ESP has to have a previous one. */
export function statusesOf(views: readonly LoaderView[]): readonly LoaderStatus[] {
  return views
    .filter(({ place, installed: { kind } }) => {
      return place !== 'previous' || (kind !== 'absent' && kind !== 'directory');
    })
    .map(loaderStatus);
}

/** Returns what a copy is, and what is wrong with it. */
export function loaderStatus(view: LoaderView): LoaderStatus {
  const { path, place, installed, signature, isForOther = false } = view;
  const refused = SIGNATURE_PROBLEMS[signature];
  switch (installed.kind) {
    case 'absent':
      return { path, is: 'absent', problem: 'it is not there' };
    case 'directory':
      return { path, is: 'a directory', problem: 'it is a directory: move it away' };
    case 'malformed':
      return { path, is: 'malformed', problem: installed.because };
    case 'foreign':
      return place === 'fallback'
        ? { path, is: 'foreign' }
        : { path, is: 'foreign', problem: 'it is not systemd-boot, under a name that is' };
    case 'systemd-boot':
      return {
        path,
        is: `systemd-boot ${installed.version}`,
        ...(isForOther && { problem: 'it is for another processor' }),
        ...(refused && { problem: refused }),
      };
  }
}
