/** Which boot loader started this machine, as it tells in EFI variables. Pure. */
import { startedElsewhere } from './startable.ts';
import type { EspView } from './view.ts';

/** The loader that started this machine, from one of these ESPs. */
export interface RunningLoader {
  readonly version: string;
  /** Its path on the ESP, in lower case; undefined where it does not tell. */
  readonly path: string | undefined;
}

/** Returns the running loader; undefined when it is no systemd-boot, or started from elsewhere. */
export function runningLoader(
  view: Pick<EspView, 'firmware' | 'partitions'>,
): RunningLoader | undefined {
  const { LoaderInfo: info, LoaderImageIdentifier: image } = view.firmware?.variables ?? {};
  const [, version] = /^systemd-boot (\S+)$/.exec(info ?? '') ?? [];
  if (version === undefined || startedElsewhere(view).length > 0) return undefined;
  return { version, path: image?.replaceAll('\\', '/').replace(/^\/+/, '').toLowerCase() };
}

/** Says that firmware started the previous loader, and so not the one before it in its order. */
export function startedPrevious(
  view: Pick<EspView, 'firmware' | 'partitions' | 'loaders'>,
): readonly string[] {
  const [own, , previous] = view.loaders;
  if (!own || !previous || runningLoader(view)?.path !== previous.path.toLowerCase()) return [];
  return [
    `the machine came up on its fallback, ${previous.path}: firmware did not start ${own.path}; espalier repair writes that anew where it is damaged, and espalier firmware list tells in which order firmware starts them`,
  ];
}
