/** `npm run demo`: real parts, five generations, an install, and a boot under Secure Boot that proves it. */
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { styleText } from 'node:util';
import { makeEspImage } from '../../test/lab/esp-image.ts';
import { espalierInSight } from '../../test/lab/espalier.ts';
import { type Keys, makeKeys, placeEnrolment } from '../../test/lab/keys.ts';
import { cacheFolder, ensureParts, type Parts } from '../../test/lab/parts.ts';
import { type DemoWorld, makeProfiles } from '../../test/lab/profiles.ts';
import { type Boot, bootImage } from '../../test/lab/qemu.ts';
import { attempt } from '../../test/lab/run.ts';
import {
  ensureTools,
  installCommand,
  isRoot,
  missingTools,
  type Tool,
} from '../../test/lab/tools.ts';
import { LeftOut, say, startStages } from './stages.ts';

const folder = join(cacheFolder, 'demo');
const esp = join(folder, 'esp');
const image = join(folder, 'esp.img');
const disk = join(folder, 'disk.raw');
const systemd = '257';
/** Exit status for "done, and something else needs a look": the broken generation. */
const doneWithWarnings = 5;

const keyTools: readonly Tool[] = ['openssl'];
const checkTools: readonly Tool[] = ['sbsigntool'];
const imageTools: readonly Tool[] = ['mtools', 'dosfstools'];
const enrolmentTools: readonly Tool[] = ['efitools'];
const bootTools: readonly Tool[] = ['qemu-system-x86'];

const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';

function toolsFor(boot: boolean): readonly Tool[] {
  const tools = [...keyTools, ...enrolmentTools, ...checkTools, ...imageTools];
  return boot ? [...tools, ...bootTools] : tools;
}

/** Leaves the stage out when a tool is missing. */
function need(tools: readonly Tool[]): void {
  const missing = missingTools(tools);
  if (missing.length > 0) throw new LeftOut(`needs ${missing.join(', ')}`);
}

function shown(path: string): string {
  return relative(process.cwd(), path) || '.';
}

function fetchParts(): Parts {
  const parts = ensureParts((what) => say(`fetching ${what}`));
  say(`real, from this machine's Debian mirror: systemd-boot and systemd-stub ${systemd},`);
  say(`Linux ${parts.kernelVersion}, busybox, OVMF; they lie in ${shown(cacheFolder)}`);
  return parts;
}

function prepareTools(boot: boolean): void {
  const wanted = toolsFor(boot);
  if (isRoot() && missingTools(wanted).length > 0) say('installing Debian packages');
  const missing = ensureTools(wanted);
  if (missing.length === 0) {
    say('all there');
    return;
  }
  say(styleText(['bold', 'yellow'], `missing: ${missing.join(', ')}`));
  say(`${isRoot() ? 'apt-get could not install them; try' : 'only root can install them'}:`);
  say(styleText('bold', installCommand(missing)));
}

function prepareProfiles(parts: Parts): DemoWorld {
  const world = makeProfiles(join(folder, 'world'), parts);
  for (const { number, about } of world.generations) say(`generation ${number}: ${about}`);
  return world;
}

function prepareKeys(): Keys {
  need(keyTools);
  const keys = makeKeys(join(folder, 'keys'));
  say(`PK, KEK and db, made for this demo, in ${shown(keys.folder)}`);
  return keys;
}

function prepareEsp(keys: Keys | undefined): void {
  rmSync(esp, { recursive: true, force: true });
  mkdirSync(esp, { recursive: true });
  say(`a directory for now: ${shown(esp)}`);
  if (keys === undefined || missingTools(enrolmentTools).length > 0) return;
  placeEnrolment(keys, esp);
  say('loader/keys/auto holds the public halves, for systemd-boot to enrol');
}

function install(world: DemoWorld, parts: Parts, keys: Keys | undefined): void {
  const settings = join(folder, 'loader.conf');
  writeFileSync(settings, loaderConf);
  const signing =
    keys === undefined
      ? ['--allow-unsigned']
      : ['--certificate', keys.certificate, '--private-key', keys.privateKey];
  const places = ['--esp', esp, '--profiles', world.profiles, '--cache-dir', join(folder, 'cache')];
  const loader = ['--systemd', parts.systemdRoot[systemd], '--stub', parts.stub[systemd]];
  const args = ['install', ...places, ...loader, '--loader-conf', settings, ...signing];
  command([...args, '--allow-directory'], doneWithWarnings);
  say(`exit status ${doneWithWarnings} is right: generation 4 cannot be read, so it is reported`);
  say('and left alone, and every other generation is installed');
}

/** Shows and runs one command of the program, and insists on its exit status. */
function command(args: readonly string[], expected: number): void {
  const words = ['espalier', ...args].map(shortened).join(' ');
  say(styleText('bold', `$ ${words.replaceAll(' --', ' \\\n       --')}`));
  const status = espalierInSight(args);
  if (status !== expected) {
    throw new Error(`espalier ${args[0]} ended with ${status}, expected ${expected}`);
  }
}

function shortened(argument: string): string {
  return argument.startsWith('/') ? shown(argument) : argument;
}

function checkSignatures(keys: Keys | undefined): void {
  need(checkTools);
  if (keys === undefined) throw new LeftOut('nothing is signed');
  const names = readdirSync(join(esp, 'EFI'), { recursive: true, encoding: 'utf8' });
  const signed = names
    .filter((name) => /\.efi$/i.test(name) && !/(^|\/)(kernel|initrd)-/.test(name))
    .map((name) => join(esp, 'EFI', name));
  for (const path of signed) {
    const { status, stderr } = attempt('sbverify', ['--cert', keys.certificate, path]);
    if (status !== 0) throw new Error(`sbverify refuses ${path}: ${stderr.trim()}`);
  }
  say(`sbverify accepts all ${signed.length} images with the demo's certificate`);
}

function makeImage(): string {
  need(imageTools);
  makeEspImage(image, esp);
  say(`FAT32: ${shown(image)}`);
  return image;
}

/** Makes a disk of the ESP without any other tool, and has it read as a machine's ESP is. */
function makeDisk(): string {
  const description = join(folder, 'disk.toml');
  const lines = [
    '[[partition]]',
    'type = "esp"',
    `contents = [{ source = ${JSON.stringify(esp)}, target = "/" }]`,
  ];
  writeFileSync(description, `${lines.join('\n')}\n`);
  command(['image', 'build', description, '--output', disk, '--force'], 0);
  command(['list', '--esp', disk], 0);
  return disk;
}

async function boot(parts: Parts, keys: Keys | undefined, made: string | undefined): Promise<Boot> {
  need([...enrolmentTools, ...bootTools]);
  if (keys === undefined || made === undefined) throw new LeftOut('needs the signed image');
  say('QEMU without KVM; systemd-boot enrols the keys, restarts, and Secure Boot enforces');
  const work = join(folder, 'boot.img');
  copyFileSync(made, work);
  const result = await bootImage({ parts, image: work, secureBoot: { kind: 'enrol' }, limit: 120 });
  rmSync(work);
  const log = join(folder, 'console.txt');
  writeFileSync(log, result.console);
  say(`the whole console is in ${shown(log)}`);
  return result;
}

/** Throws unless the console proves that the current generation came up under Secure Boot. */
function judge({ proof, ended, console: text }: Boot, world: DemoWorld): void {
  if (proof === undefined) {
    throw new Error(`no generation came up (${ended}); the console ends:\n${text.slice(-1500)}`);
  }
  const expected = world.generations.at(-1)?.number;
  console.log(`\n${styleText(['bold', 'green'], proof.line)}\n`);
  if (proof.generation !== `${expected}` || !proof.secureBoot) {
    throw new Error(`expected generation ${expected} with Secure Boot on`);
  }
  say(`Generation ${expected} came up, as the profile says, with Secure Boot enforcing.`);
}

async function main(wantsBoot: boolean): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const stages = startStages();
  const parts = await stages.run('Real parts', fetchParts);
  if (parts === undefined) return;
  await stages.run('Tools', () => prepareTools(wantsBoot));
  const world = await stages.run('A profile with five generations', () => prepareProfiles(parts));
  if (world === undefined) return;
  const keys = await stages.run('Throw-away Secure Boot keys', prepareKeys);
  await stages.run('An empty ESP', () => prepareEsp(keys));
  await stages.run('Install', () => install(world, parts, keys));
  await stages.run('What is on the ESP', () =>
    command(['list', '--esp', esp, '--allow-directory'], 0),
  );
  await stages.run('Another tool reads the signatures', () => checkSignatures(keys));
  const made = await stages.run('The ESP as a disk image', makeImage);
  const own = await stages.run('The same ESP as a disk, without mtools', makeDisk);
  const result = wantsBoot
    ? await stages.run('Boot it in QEMU, firmware OVMF', () => boot(parts, keys, made))
    : undefined;
  if (result !== undefined) judge(result, world);
  if (stages.leftOut.length > 0) {
    const titles = stages.leftOut.join('; ');
    say(styleText(['bold', 'yellow'], `LEFT OUT ${stages.leftOut.length}: ${titles}`));
    say(`To see them, run this once: ${installCommand(missingTools(toolsFor(wantsBoot)))}`);
  }
  say(`Done in ${stages.elapsed()} s. The ESP is in ${shown(esp)}.`);
  if (own !== undefined) say(`The same ESP as a disk that Espalier alone wrote: ${shown(own)}.`);
}

try {
  await main(!process.argv.includes('--no-boot'));
} catch (error) {
  console.error(`\ndemo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
