/** Type #1 entries (BLS §Type #1): text that names content-addressed files. Pure. */
import { hash } from '../../digest.ts';
import { ENTRIES, type EspPath, espPath } from '../../esp/layout.ts';
import { formatType1 } from '../../esp/type1.ts';
import type { Resolved, WantedEntry, WantedFile } from '../wanted.ts';
import { wantBlob } from './blob.ts';
import type { Format } from './format.ts';
import { entryName, label, menuEntry } from './menu-entry.ts';

export const TYPE1 = {
  signsKernels: true,
  tellsRelease: false,
  takesEspInitrds: true,
  takesAddons: false,
  lacksPolicies: 'it boots without a stub, which would measure into PCR 11',
  isOneFile: false,
  want: wantType1,
} as const satisfies Format;

/** Returns the Type #1 entry of a generation or specialisation and the blobs it names. */
export function wantType1(token: string, resolved: Resolved): WantedEntry {
  const { kernel, initrds, devicetree, others } = partsOf(token, resolved);
  const { cmdline, ...menu } = menuEntry(resolved);
  const text = formatType1({
    title: label(resolved),
    version: menu.version,
    sortKey: menu.sortKey,
    linux: kernel.path,
    initrd: initrds.map((one) => (typeof one === 'string' ? one : one.path)),
    ...(devicetree ? { devicetree: devicetree.path } : {}),
    options: cmdline,
  });
  const name = entryName(token, resolved, { kind: 'type1', digest: hash(text) });
  return {
    id: name,
    ...menu,
    cmdline,
    file: {
      role: 'entry',
      path: espPath(ENTRIES, name),
      size: new TextEncoder().encode(text).length,
      content: { kind: 'text', text },
    },
    blobs: [
      kernel,
      ...initrds.filter((one) => typeof one !== 'string'),
      ...(devicetree ? [devicetree] : []),
    ],
    ...(others.length > 0 ? { others } : {}),
  };
}

/** Returns the files that an entry names, in order. `others` are those that we do not write. */
function partsOf(token: string, resolved: Resolved) {
  const { bootspec, initrd, extraInitrds = [], devicetree } = resolved;
  const initrds: readonly (WantedFile | EspPath)[] = [
    ...(initrd ? [wantBlob(token, bootspec, 'initrd', initrd)] : []),
    // An initrd of ours gets its own name. Under the extra file's name it would vanish while that
    // changes.
    ...extraInitrds.map((one) =>
      typeof one === 'string' ? one : wantBlob(token, bootspec, 'initrd', one),
    ),
  ];
  return {
    kernel: wantBlob(token, bootspec, 'kernel', resolved.kernel),
    initrds,
    devicetree: devicetree && wantBlob(token, bootspec, 'devicetree', devicetree),
    others: initrds.filter((one) => typeof one === 'string'),
  };
}
