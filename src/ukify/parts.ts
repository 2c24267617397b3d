/**
 * Gathers the parts of an image from the settings of `uki build`: reads files, and finds defaults.
 */
import { machine } from 'node:os';
import { bytesSource } from '../byte-source.ts';
import type { Disk, OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { architecture, efiName } from '../loader/architecture.ts';
import type { Content } from '../pe/image-layout.ts';
import { parsePe } from '../pe/pe.ts';
import { requireSoundSections } from '../pe/section-findings.ts';
import { signedFile } from '../recipe/pieces.ts';
import { publicKeyPem } from '../signer/public-key.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { bytesSection, type ImageParts, joinedInitrds, profileSections } from '../uki/build.ts';
import { collapseBlanks } from '../uki/cmdline.ts';
import {
  type KernelTraits,
  kernelTraits,
  requireCmdlineFits,
  requireStarts,
} from '../uki/kernel.ts';
import type { UkiSection } from '../uki/uki.ts';
import { type BuildSettings, splitSection } from './build-settings.ts';
import type { Inputs } from './inputs.ts';
import { misuse } from './misuse.ts';

/** What gathering parts needs besides the settings. */
interface Gathering {
  readonly disk: Disk;
  readonly signer: Signer;
  /** The only public key (PEM) of the policies: it goes into `.pcrpkey` when no other is named. */
  readonly policyKey: Uint8Array | undefined;
}

/**
 * Returns what an image is built from.
 * @throws {CONFIG_INVALID} naming the option that is wrong
 * @throws {PE_MALFORMED} when kernel, stub or profile is no whole PE image
 * @throws {MIXED_ARCHITECTURES} when the stub cannot start the kernel
 */
export function gatherParts(
  settings: BuildSettings,
  inputs: Inputs,
  { disk, signer, policyKey }: Gathering,
): ImageParts {
  const kernel =
    settings.linux === undefined ? undefined : lookAtKernel(settings.linux, inputs, disk);
  const { path: stubPath } = inputs.file('stub', findStub(settings, kernel?.traits.machine, disk));
  const stub = inputs.read('stub', stubPath);
  const stubPe = parsePe(bytesSource(stub), stubPath);
  requireSoundSections(stubPe, stubPath);
  if (kernel) requireSameMachine(stubPe.machine, kernel.traits.machine, stubPath);
  const sections = [
    ...textSections(settings, inputs, kernel?.traits, disk),
    ...fileSections(settings, inputs, policyKey),
    ...(kernel ? [{ name: '.linux', content: kernelContent(kernel, settings, signer, disk) }] : []),
  ];
  requireWholeCmdline(sections, kernel);
  const hasOsRelease = sections.some(({ name }) => name === '.osrel');
  return {
    stub,
    kernel: kernel?.traits,
    sections,
    extra: settings.section.map((given) => parseSection(given, inputs)),
    sbat: settings.sbat.map((given) => requireSbat(given, inputs.text('sbat', given))),
    profile: given(settings.profile, (value) => inputs.text('profile', value)),
    joined: settings['join-profile'].map((path) =>
      withFile(inputs.file('join-profile', path).path, disk, (source) => {
        requireSoundSections(parsePe(source, path), path);
        return profileSections(source, path, hasOsRelease);
      }),
    ),
  };
}

/** What stands at the end of a command line that is too long, as a root hash, would be lost. */
function requireWholeCmdline(sections: readonly UkiSection[], kernel: Kernel | undefined): void {
  const cmdline = sections.find(({ name }) => name === '.cmdline')?.content;
  if (!kernel || cmdline?.kind !== 'bytes') return;
  requireCmdlineFits({ own: cmdline.bytes.length }, kernel.traits.cmdlineLimit, kernel.path);
}

/** A kernel and what its file says of it. Size in bytes. */
interface Kernel {
  readonly path: string;
  readonly size: number;
  readonly traits: KernelTraits;
}

function lookAtKernel(path: string, inputs: Inputs, disk: Disk): Kernel {
  const file = inputs.file('linux', path);
  return withFile(path, disk, (source) => {
    requireSoundSections(parsePe(source, path), path);
    const traits = kernelTraits(source, path);
    requireStarts(traits, traits.machine, path);
    return { ...file, traits };
  });
}

function withFile<T>(path: string, disk: Disk, work: (source: OpenFile) => T): T {
  using source = disk.open(path);
  return work(source);
}

/** Calls `work` on an option that was given and is not empty. */
function given<T>(value: string | undefined, work: (value: string) => T): T | undefined {
  return value === undefined || value === '' ? undefined : work(value);
}

/** systemd's directories, on NixOS and everywhere else. */
const SYSTEMD = ['/run/current-system/systemd', '/usr'];

function findStub(settings: BuildSettings, kernelMachine: number | undefined, disk: Disk): string {
  if (settings.stub !== undefined) return settings.stub;
  const home = (systemd: string) => `${systemd}/lib/systemd/boot/efi`;
  const systemd = settings.systemd ?? SYSTEMD.find((path) => disk.stat(home(path))) ?? '/usr';
  const own = () =>
    kernelMachine === undefined ? architecture(`${machine()}-linux`).efi : efiName(kernelMachine);
  const name = settings['efi-arch'] ?? own();
  if (name === undefined) throw misuse('--linux: its processor has no stub; name one with --stub');
  return `${home(systemd)}/${kernelMachine === undefined ? 'addon' : 'linux'}${name}.efi.stub`;
}

/** The machine numbers of x86 mixed mode: 32-bit firmware and stub may start a 64-bit kernel. */
const MIXED_MODE = { stub: 0x014c, kernel: 0x8664 };

function requireSameMachine(stub: number, kernel: number, stubPath: string): void {
  const isMixedMode = stub === MIXED_MODE.stub && kernel === MIXED_MODE.kernel;
  if (stub === kernel || isMixedMode) return;
  const name = (machine: number) => efiName(machine) ?? `machine 0x${machine.toString(16)}`;
  throw new EspError(
    'MIXED_ARCHITECTURES',
    `${stubPath}: expected a stub for ${name(kernel)} as the kernel, got one for ${name(stub)}`,
    { hint: 'name another with --stub, or leave out --efi-arch' },
  );
}

function textSections(
  settings: BuildSettings,
  inputs: Inputs,
  kernel: KernelTraits | undefined,
  disk: Disk,
): UkiSection[] {
  const osRelease = settings['os-release'] ?? (kernel && `@${findOsRelease(disk)}`);
  const contents = {
    '.osrel': given(osRelease, (value) => inputs.text('os-release', value)),
    '.cmdline': given(settings.cmdline, (value) =>
      // A file is taken unchanged. The text of an option may be wrapped over lines.
      inputs.text('cmdline', value.startsWith('@') ? value : collapseBlanks(value)),
    ),
    '.uname': given(settings.uname, (value) => new TextEncoder().encode(value)),
  };
  return Object.entries(contents).flatMap(([name, bytes]) =>
    bytes === undefined ? [] : [bytesSection(name, bytes)],
  );
}

function findOsRelease(disk: Disk): string {
  return disk.stat('/etc/os-release') ? '/etc/os-release' : '/usr/lib/os-release';
}

function fileSections(
  settings: BuildSettings,
  inputs: Inputs,
  policyKey: Uint8Array | undefined,
): UkiSection[] {
  const one = (name: string, flag: 'devicetree' | 'splash' | 'microcode') => {
    const path = settings[flag];
    return path === undefined ? [] : [fileSection(name, inputs.file(flag, path))];
  };
  const initrds = settings.initrd.map((path) => inputs.file('initrd', path));
  const named = (path: string) => publicKeyPem(inputs.read('pcrpkey', path), `--pcrpkey ${path}`);
  const publicKey = given(settings.pcrpkey, named) ?? policyKey;
  return [
    ...one('.dtb', 'devicetree'),
    ...settings['devicetree-auto'].map((path) =>
      fileSection('.dtbauto', inputs.file('devicetree-auto', path)),
    ),
    ...one('.splash', 'splash'),
    ...(publicKey === undefined ? [] : [bytesSection('.pcrpkey', publicKey)]),
    ...(initrds.length > 0 ? [{ name: '.initrd', content: joinedInitrds(initrds) }] : []),
    ...one('.ucode', 'microcode'),
  ];
}

function fileSection(name: string, file: { path: string; size: number }): UkiSection {
  return { name, content: { kind: 'file', ...file } };
}

/**
 * The kernel as it is, or with our signature added where that was asked for: whoever takes a signed
 * kernel out of the image can start it with any initrd and any command line.
 */
function kernelContent(
  { path, size }: Kernel,
  settings: BuildSettings,
  signer: Signer,
  disk: Disk,
): Content {
  if (settings['sign-kernel'] !== true || isUnsigned(signer)) return { kind: 'file', path, size };
  const { pieces } = withFile(path, disk, (source) => signedFile(source, path, signer));
  return { kind: 'pieces', pieces };
}

function parseSection(spec: string, inputs: Inputs): UkiSection {
  const { name, value } = splitSection(spec);
  if (!/^[!-~]{1,8}$/.test(name)) {
    throw misuse(
      `--section: expected NAME:TEXT or NAME:@FILE with a name of 1 to 8 letters, got ${JSON.stringify(spec.slice(0, 64))}`,
    );
  }
  if (!value.startsWith('@')) return bytesSection(name, inputs.text('section', value));
  return fileSection(name, inputs.file('section', value.slice(1)));
}

/** Refuses text that does not begin as SBAT, which would be dropped silently. */
function requireSbat(value: string, bytes: Uint8Array): Uint8Array {
  if (new TextDecoder().decode(bytes.subarray(0, 5)) === 'sbat,') return bytes;
  throw misuse(
    `--sbat: expected a first line "sbat,1,…", got ${JSON.stringify(value.slice(0, 64))}`,
  );
}
