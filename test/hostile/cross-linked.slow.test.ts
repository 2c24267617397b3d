/** Two names for one chain of clusters: on the kernel's own vfat, which does not notice. Needs a guest. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { theParts, whatIsMissing } from '../boot/installed.ts';
import { type FatFile, readFat } from '../crash/fat-image.ts';
import { mendImage } from '../crash/fsck.ts';
import { onDisk } from '../crash/guest-reruns.ts';
import { membersOf } from '../crash/recording.ts';
import { makeWorld } from '../crash/scenario.ts';
import { smallPayload, type World } from '../crash/world.ts';
import { memberOf } from '../lab/cpio.ts';
import { makeEspImage } from '../lab/esp-image.ts';
import { runInGuest } from '../lab/guest.ts';
import { isUnhurried } from '../property/bounds.ts';
import { usedBy } from '../support/used-by.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);
/** What may get, or give, a second name to a chain of ours; and what has nothing to do with it. */
const FOREIGN = 'EFI/other/other.efi';
const NOTES = 'EFI/Linux/notes.txt';
const entryOf = (number: number) => new RegExp(`/nixos-generation-${number}-[^/]*\\.efi$`);

/** What leads to the clusters of what: one name, and the name whose chain it gets. */
interface CrossLink {
  readonly name: string;
  readonly from: RegExp;
  readonly to: RegExp;
}

const ALL: readonly CrossLink[] = [
  { name: 'another’s file and the current entry', from: /other\.efi$/, to: entryOf(2) },
  { name: 'both copies of the loader', from: /BOOTX64\.EFI$/, to: /systemd-bootx64\.efi$/ },
  { name: 'an old entry and the current one', from: entryOf(1), to: entryOf(2) },
  { name: 'the current entry and another’s file', from: entryOf(2), to: /other\.efi$/ },
];
/** What is wrong on each image: two of them on one, unless there is time. */
const CROSS_LINKS = isUnhurried ? ALL.map((crossLink) => [crossLink]) : [ALL.slice(0, 2)];

const LOOKS = [['status'], ['verify', '--deep'], ['plan']];
const CHANGES = [['gc'], ['repair'], ['install']];
/** Done, failed, refused, no room, or something to say: no bug, and no misuse. */
const HONEST = [0, 1, 3, 4, 5];

suite('clusters with two names', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-cross-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('stop no verb; after fsck.fat the next run heals what is ours', async () => {
    const world = await makeWorld(SCENARIO, join(folder, 'world'), smallPayload());
    const whole = contentOf(imageOf(world, join(folder, 'whole.img')));
    const images = CROSS_LINKS.map((crossLinks, index) =>
      crossLinks.reduce(linkedImage, imageOf(world, join(folder, `${index}.img`))),
    );
    const linked = images.map(contentOf);
    const program = await bundle(join(folder, 'espalier.mjs'));

    requireHonest(await perform(world, program, images, LOOKS));
    assert.deepEqual(images.map(contentOf), linked, 'a look changes nothing');

    requireHonest(await perform(world, program, images, CHANGES));
    for (const image of images) {
      // The kernel frees a chain with the first of its names, so what shares one with ours may be lost.
      assert.equal(contentOf(image)[NOTES], whole[NOTES]);
      assert.ok(mendImage(image).isClean);
    }

    const healed = await perform(world, program, images, [['install'], ['verify', '--deep']]);
    for (const { status, output } of healed.flat()) assert.equal(status, 0, output);
    for (const image of images) {
      const now = contentOf(image);
      for (const [path, digest] of Object.entries(whole)) {
        if (path !== FOREIGN) assert.equal(now[path], digest, path);
      }
    }
  });
});

/** What a verb did on an image. */
interface VerbRan {
  readonly status: number;
  readonly output: string;
}

function requireHonest(ran: readonly VerbRan[][]): void {
  for (const [at, crossLinks] of CROSS_LINKS.entries()) {
    const names = crossLinks.map(({ name }) => name).join('; ');
    for (const { status, output } of ran[at] ?? []) {
      assert.ok(HONEST.includes(status), `${names}: ${status} ${output}`);
    }
  }
}

const SCENARIO = {
  name: 'cross-linked',
  about: 'two generations, and a file of another',
  prepare(world: World) {
    world.put(NOTES, 'somebody keeps notes here\n');
    world.put(FOREIGN, 'MZ, and nothing else that a program has\n'.repeat(2000));
    for (const number of [1, 2]) {
      world.generation(number);
      world.run(['install', ...world.settings()]);
    }
  },
  action: () => [],
};

/** Starts the program anew for each command line, in one process: in a guest, Node's start is dearer than a verb. */
const runVerbs = `
const [node, , ...lines] = process.argv;
for (const [index, line] of lines.entries()) {
  process.argv = [node, '/espalier.mjs', ...line.split(' ')];
  process.exitCode = 0;
  await import(\`/espalier.mjs?\${index}\`);
  console.log(\`\\nESPALIER-VERB \${process.exitCode}\`);
}
process.exitCode = 0;
`;

/** Runs verbs one after the other on each image, and returns what each of them did, by image. */
async function perform(
  world: World,
  program: string,
  [image = '', ...more]: readonly string[],
  verbs: readonly string[][],
): Promise<VerbRan[][]> {
  const lines = verbs.map((verb) =>
    [...usedBy([...verb, ...world.settings()]), '--esp', '/esp'].join(' '),
  );
  const command = ['node /verbs.mjs', ...lines.map((line) => `'${line}'`), '2>&1'].join(' ');
  const commands = [image, ...more].map((_, disk) => onDisk(disk, command));
  const members = [...membersOf(world, program), memberOf('verbs.mjs', runVerbs)];
  const ran = await runInGuest({ parts: theParts(), image, more, members, commands, limit: 600 });
  return ran.map(({ status, output }) => {
    const pieces = output.split(/^ESPALIER-VERB (\d+)$/m);
    const said = pieces.filter((_, index) => index % 2 === 0);
    const ends = pieces.filter((_, index) => index % 2 === 1);
    const did = ends.map((end, index) => ({ status: Number(end), output: said[index] ?? '' }));
    assert.equal(did.length, verbs.length, `${status}: ${output}`);
    return did;
  });
}

function imageOf(world: World, image: string): string {
  makeEspImage(image, world.esp);
  return image;
}

const read = (image: string) => new Uint8Array(readFileSync(image));

/** Returns the digest of every file on an image. */
function contentOf(image: string): Record<string, string> {
  const bytes = read(image);
  const digestOf = ({ runs }: FatFile) =>
    hash(
      'sha256',
      Buffer.concat(runs.map(({ start, length }) => bytes.subarray(start, start + length))),
    );
  return Object.fromEntries(readFat(bytes).files.map((file) => [file.path, digestOf(file)]));
}

/** Gives one file's slot the first cluster and the size of another one's (FAT §Directory structure). */
function linkedImage(image: string, { from, to }: CrossLink): string {
  const bytes = read(image);
  const [source, target] = [from, to].map((pattern) => {
    const [file, ...more] = readFat(bytes).files.filter(({ path }) => pattern.test(path));
    assert.ok(file !== undefined && more.length === 0, String(pattern));
    return file.slot;
  });
  assert.ok(source !== undefined && target !== undefined);
  for (const [start, end] of PLACE_AND_SIZE) {
    bytes.set(bytes.slice(target + start, target + end), source + start);
  }
  writeFileSync(image, bytes);
  return image;
}

const PLACE_AND_SIZE = [
  [20, 22],
  [26, 32],
] as const;
