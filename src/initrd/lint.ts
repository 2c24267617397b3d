/** Checks that an initrd has what a system needs to open its file system by a root hash. */
import type { ByteSource } from '../byte-source.ts';
import { type ReadSettings, readInitrd } from './archive.ts';
import type { Member } from './cpio.ts';
import type { Obstacle } from './obstacle.ts';

/**
 * The needs: a program, its generator, which reads the kernel's command line, and the kernel's
 * module.
 */
type Need = 'veritysetup' | 'generator' | 'dm-verity';

/**
 * What may keep a system from opening its file system. Paths are example members: any prefix will
 * do.
 */
export type InitrdFinding =
  | { readonly kind: 'missing'; readonly what: Need; readonly lookedFor: readonly string[] }
  /** The initrd does not list what is built into the kernel. */
  | {
      readonly kind: 'perhaps-built-in';
      readonly what: 'dm-verity';
      readonly lookedFor: readonly string[];
    }
  /** Reading ended here, so what follows is unknown. */
  | { readonly kind: 'obstacle'; readonly obstacle: Obstacle };

/** How the needs show in an initrd. NixOS has them below a store path. */
const SIGNS = {
  service: [/(^|\/)lib\/systemd\/systemd-veritysetup$/, 'usr/lib/systemd/systemd-veritysetup'],
  program: [/(^|\/)s?bin\/veritysetup$/, 'usr/sbin/veritysetup'],
  generator: [
    /(^|\/)systemd\/system-generators\/systemd-veritysetup-generator$/,
    'usr/lib/systemd/system-generators/systemd-veritysetup-generator',
  ],
  module: [
    /(^|\/)lib\/modules\/.+\/dm[-_]verity\.ko(\.(gz|xz|zst))?$/,
    'usr/lib/modules/*/kernel/drivers/md/dm-verity.ko',
  ],
} as const satisfies Record<string, readonly [RegExp, string]>;

type Sign = keyof typeof SIGNS;

const BUILT_IN_LIST = /(^|\/)lib\/modules\/[^/]+\/modules\.builtin$/;
const BUILT_IN_PATH = 'usr/lib/modules/*/modules.builtin';
const BUILT_IN_MODULE = /(^|\/)dm[-_]verity\.ko$/m;

/** What the members so far have shown. */
interface Evidence {
  readonly signs: ReadonlySet<Sign>;
  /** Whether dm-verity is built in; undefined while no member lists the built-in modules. */
  readonly isBuiltIn: boolean | undefined;
}

/**
 * Looks for what opens a verity device. Reads no further than it needs, and keeps nothing in
 * memory. An initrd that cannot be read is a finding.
 */
export async function lintInitrd(
  source: ByteSource,
  settings: Pick<ReadSettings, 'unxz'> = {},
): Promise<readonly InitrdFinding[]> {
  let known: Evidence = { signs: new Set(), isBuiltIn: undefined };
  for await (const found of readInitrd(source, { ...settings, withContent: BUILT_IN_LIST })) {
    // The kernel stops here as well, or the rest cannot be known.
    if (found.kind === 'obstacle') return [found];
    const before = known;
    known = enriched(before, found.member);
    if (known !== before && judge(known).length === 0) return [];
  }
  return judge(known);
}

/** Adds what a member shows. Returns the same evidence when it shows nothing. */
function enriched(known: Evidence, { path, content }: Member): Evidence {
  if (content !== undefined) {
    const isListed = BUILT_IN_MODULE.test(new TextDecoder().decode(content));
    return { ...known, isBuiltIn: isListed || known.isBuiltIn === true };
  }
  const sign = (Object.keys(SIGNS) as Sign[]).find((name) => SIGNS[name][0].test(path));
  return sign === undefined ? known : { ...known, signs: new Set([...known.signs, sign]) };
}

function judge({ signs, isBuiltIn }: Evidence): readonly InitrdFinding[] {
  const findings: InitrdFinding[] = [];
  const lookedFor = (...names: readonly Sign[]) => names.map((name) => SIGNS[name][1]);
  if (!signs.has('program')) {
    if (!signs.has('service')) {
      findings.push({
        kind: 'missing',
        what: 'veritysetup',
        lookedFor: lookedFor('service', 'program'),
      });
    } else if (!signs.has('generator')) {
      findings.push({ kind: 'missing', what: 'generator', lookedFor: lookedFor('generator') });
    }
  }
  if (!signs.has('module') && isBuiltIn !== true) {
    const kind = isBuiltIn === false ? 'missing' : 'perhaps-built-in';
    findings.push({ kind, what: 'dm-verity', lookedFor: [...lookedFor('module'), BUILT_IN_PATH] });
  }
  return findings;
}

const NAMES: Readonly<Record<Need, string>> = {
  veritysetup: 'what sets up a verity device',
  generator: 'what starts systemd-veritysetup',
  'dm-verity': 'the kernel module dm-verity',
};

/** Returns a finding as one line. */
export function describeInitrdFinding(finding: InitrdFinding): string {
  if (finding.kind === 'obstacle') {
    const { offset, format, position, reason } = finding.obstacle;
    const progress = position > 0 && position !== offset ? `, read up to byte ${position}` : '';
    return `${format} archive at byte ${offset}${progress}: ${reason}`;
  }
  const { kind, what, lookedFor } = finding;
  const doubt = kind === 'perhaps-built-in' ? '; perhaps it is built in' : '';
  return `${NAMES[what]} not found: looked for ${lookedFor.join(' and ')}${doubt}`;
}
