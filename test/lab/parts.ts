/** The real parts of the tests: loaders and stubs of four systemd versions, a kernel, a shell and a firmware. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findMirror, hasDebianTools, openSuite } from './debian.ts';

/** The systemd versions by the Debian suite that has them; `262` is sid's, whatever number that has by now. */
export type SystemdVersion = '252' | '254' | '257' | '262';

/** Where every real part lies. All are absolute paths. */
export interface Parts {
  readonly stub: Readonly<Record<SystemdVersion, string>>;
  readonly addonStub: Readonly<Record<'257' | '262', string>>;
  readonly systemdBoot: Readonly<Record<SystemdVersion, string>>;
  /** Directories that hold `lib/systemd/boot/efi`, as `--systemd` wants one. */
  readonly systemdRoot: Readonly<Record<SystemdVersion, string>>;
  /** The ukify scripts, to be run with `systemPython` of tools.ts; they need python3-pefile. */
  readonly ukify: Readonly<Record<'257' | '262', string>>;
  /** bootctl 252 and the folders of the libraries that it needs, which a bare machine may lack. */
  readonly bootctl: { readonly path: string; readonly libraries: readonly string[] };
  readonly kernel: string;
  /** `uname -r` of that kernel. */
  readonly kernelVersion: string;
  /** The kernel's `/lib/modules/<version>`. */
  readonly modules: string;
  /** A statically linked busybox. */
  readonly busybox: string;
  readonly ovmf: {
    readonly code: string;
    /** Firmware with Secure Boot and SMM. */
    readonly codeSecure: string;
    /** Empty variables: setup mode. */
    readonly vars: string;
  };
}

/** The folder for everything that is fetched or made at run time; git ignores it. */
export const cacheFolder = resolve(import.meta.dirname, '../../.cache');

const partsFolder = join(cacheFolder, 'parts');

type SuiteName = 'bookworm' | 'bookworm-backports' | 'trixie' | 'sid';
const suiteOf: Record<SystemdVersion, SuiteName> = {
  252: 'bookworm',
  254: 'bookworm-backports',
  257: 'trixie',
  262: 'sid',
};

/** What comes from each suite. A package given as a pattern is found among the dependencies of its meta package. */
const packages: Record<SuiteName, readonly string[]> = {
  bookworm: [
    ...['systemd-boot-efi', 'busybox-static', 'ovmf'],
    // Installing systemd-boot would put it on the machine's own ESP, so bootctl is unpacked as well.
    ...['systemd-boot', 'libsystemd-shared', 'libip4tc2', 'libkmod2', 'libseccomp2', 'libssl3'],
    ...['libgcrypt20', 'libgpg-error0', 'liblz4-1', 'libpam0g', 'libaudit1', 'libcap-ng0'],
  ],
  'bookworm-backports': ['systemd-boot-efi'],
  trixie: ['systemd-boot-efi', 'systemd-ukify'],
  sid: ['systemd-boot-efi', 'systemd-ukify'],
};
const kernelPackage = 'linux-image-cloud-amd64';
const kernelPattern = /^linux-image-[0-9].*-cloud-amd64$/;

/** Returns the parts if all of them are in the cache; never touches the network. */
export function findParts(folder = partsFolder): Parts | undefined {
  const parts = locate(folder);
  return parts !== undefined && files(parts).every((path) => existsSync(path)) ? parts : undefined;
}

/**
 * Returns the parts, fetching what the cache lacks from the machine's own Debian mirror.
 * @param say told, in a few words, what is being fetched
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureParts(say: (what: string) => void = () => {}): Parts {
  const found = findParts();
  if (found !== undefined) return found;
  if (!hasDebianTools())
    throw new Error('the real parts come from Debian packages: this needs apt-get on amd64');
  for (const suite of Object.keys(packages) as SuiteName[]) {
    if (!isComplete(suite)) fetchSuite(suite, say);
  }
  const parts = findParts();
  if (parts === undefined) {
    throw new Error(
      `packages were fetched but files are missing: remove ${partsFolder} and try again`,
    );
  }
  return parts;
}

/** A suite's folder appears by one rename when all of it is there, so its presence is its completeness. */
function isComplete(suite: SuiteName): boolean {
  return existsSync(join(partsFolder, suite));
}

function fetchSuite(suite: SuiteName, say: (what: string) => void): void {
  mkdirSync(partsFolder, { recursive: true });
  const work = mkdtempSync(join(partsFolder, `.fetch-${suite}-`));
  try {
    say(`${suite}: package lists`);
    const source = openSuite(suite, join(work, 'apt'), findMirror());
    const kernel = suite === 'bookworm' ? source.dependencies(kernelPackage, kernelPattern) : [];
    const names = [...packages[suite], ...kernel];
    say(`${suite}: ${names.join(', ')}`);
    source.unpack(names, join(work, 'root'));
    if (!isComplete(suite)) renameSync(join(work, 'root'), join(partsFolder, suite));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function locate(folder: string): Parts | undefined {
  const moduleFolder = join(folder, 'bookworm/lib/modules');
  const kernelVersion = existsSync(moduleFolder) ? readdirSync(moduleFolder)[0] : undefined;
  if (kernelVersion === undefined) return undefined;
  const efi = (version: SystemdVersion, name: string): string =>
    join(folder, suiteOf[version], 'usr/lib/systemd/boot/efi', name);
  const each = (of: (version: SystemdVersion) => string): Record<SystemdVersion, string> => ({
    252: of('252'),
    254: of('254'),
    257: of('257'),
    262: of('262'),
  });
  return {
    stub: each((version) => efi(version, 'linuxx64.efi.stub')),
    addonStub: { 257: efi('257', 'addonx64.efi.stub'), 262: efi('262', 'addonx64.efi.stub') },
    systemdBoot: each((version) => efi(version, 'systemd-bootx64.efi')),
    systemdRoot: each((version) => join(folder, suiteOf[version], 'usr')),
    ukify: { 257: join(folder, 'trixie/usr/bin/ukify'), 262: join(folder, 'sid/usr/bin/ukify') },
    bootctl: {
      path: join(folder, 'bookworm/usr/bin/bootctl'),
      libraries: [
        join(folder, 'bookworm/usr/lib/x86_64-linux-gnu/systemd'),
        join(folder, 'bookworm/usr/lib/x86_64-linux-gnu'),
        join(folder, 'bookworm/lib/x86_64-linux-gnu'),
      ],
    },
    kernel: join(folder, 'bookworm/boot', `vmlinuz-${kernelVersion}`),
    kernelVersion,
    modules: join(moduleFolder, kernelVersion),
    busybox: join(folder, 'bookworm/bin/busybox'),
    ovmf: {
      code: join(folder, 'bookworm/usr/share/OVMF/OVMF_CODE_4M.fd'),
      codeSecure: join(folder, 'bookworm/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'),
      vars: join(folder, 'bookworm/usr/share/OVMF/OVMF_VARS_4M.fd'),
    },
  };
}

function files(parts: Parts): readonly string[] {
  const { stub, addonStub, systemdBoot, ukify, ovmf } = parts;
  const many = [stub, addonStub, systemdBoot, ukify, ovmf].flatMap((record) =>
    Object.values(record),
  );
  return [...many, parts.bootctl.path, parts.kernel, parts.modules, parts.busybox];
}
