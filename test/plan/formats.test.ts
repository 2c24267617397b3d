/** What every format of entries promises, whichever it is, and what its record may say. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { imageKindOf } from '../../src/esp/image-kind.ts';
import { espPath, fileName, parseBlobName, parseEntryName } from '../../src/esp/layout.ts';
import { FORMAT_NAMES, formatOf } from '../../src/plan/formats.ts';
import { IMAGE_KINDS, IMAGES } from '../../src/plan/images.ts';
import { textSection } from '../../src/plan/section.ts';
import { isImage } from '../../src/plan/step.ts';
import type { Resolved, WantedEntry, WantedFile } from '../../src/plan/wanted.ts';
import { programsToSign } from '../../src/recipe/to-sign.ts';
import { aGeneration } from '../generation/a-generation.ts';
import { aPe } from '../pe/a-pe.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { aWanted, outline, planned } from './a-plan.ts';

const payload = (name: string) => ({ path: `/s/${name}`, size: 1000, digest: hash(name) });
const GENERATION = aGeneration({ number: 5 });
const RESOLVED: Resolved = {
  generation: GENERATION,
  bootspec: GENERATION.bootspec,
  kernel: payload('kernel'),
  initrd: payload('initrd'),
};
const FINGERPRINT = hash('certificate');

/** Returns what a format wants for a generation, in the way that a run asks it. */
function wantedBy(name: (typeof FORMAT_NAMES)[number]): WantedEntry {
  const format = formatOf(name);
  if (format.stub === undefined) return format.want('nixos', RESOLVED);
  const image = { stub: '/s/stub', stubSize: 1000, fingerprint: FINGERPRINT, extra: [] };
  return format.want('nixos', RESOLVED, image);
}

for (const format of FORMAT_NAMES) {
  describe(`the format ${format}`, () => {
    const { id, file, blobs } = wantedBy(format);

    test('gives an entry and its blobs names of ours', () => {
      assert.equal(id, fileName(file.path));
      assert.equal(parseEntryName('nixos', id)?.generation, 5);
      assert.ok(blobs.every(({ path }) => parseBlobName(fileName(path))));
    });

    test('names what is signed by its content: an image by its sections, a text by its bytes', () => {
      const { content, pointer = '' } = file;
      assert.ok(isImage(content) || content.kind === 'text');
      const digest = isImage(content)
        ? IMAGES[content.kind].idOf(content.sections, FINGERPRINT)
        : hash(content.text.slice(pointer.length));
      assert.equal(parseEntryName('nixos', id)?.digest, digest);
    });

    test('makes an image exactly where it asks for a stub', () => {
      const makesImage = [...blobs, file].some(({ content }) => isImage(content));
      assert.equal(makesImage, formatOf(format).stub !== undefined);
    });
  });
}

describe('kinds of images', () => {
  test('are told apart by their sections, and all others are of one kind', () => {
    for (const kind of IMAGE_KINDS) {
      const sections = kind.telltales.map((name) => ({ name }));
      assert.equal(imageKindOf(IMAGE_KINDS, sections), kind);
    }
    const telltales = IMAGE_KINDS.flatMap((kind) => kind.telltales);
    assert.equal(new Set(telltales).size, telltales.length);
    assert.equal(imageKindOf(IMAGE_KINDS, [{ name: '.text' }]), IMAGES.uki);
  });

  test('have a mark of ours wherever another tool gives its images such names', () => {
    assert.equal(IMAGES.thin.mark, '.signer');
  });
});

describe('entries that share an image', () => {
  const image: WantedFile = {
    role: 'blob',
    path: espPath('EFI', 'nixos', 'image.efi'),
    size: 64 * 1024,
    content: { kind: 'thin', stub: '/s/stub', sections: [textSection('.cmdline', 'quiet')] },
  };
  const sharing = [1, 2].map((number) => {
    const { entries, ...generation } = aWanted({ number });
    return { ...generation, entries: entries.map((entry) => ({ ...entry, blobs: [image] })) };
  });
  const plan = planned({ musts: sharing });

  test('get it once, before any of them', () => {
    assert.deepEqual(
      outline(plan).filter((line) => /^(put|publish)/.test(line)),
      ['put: +image.efi', 'publish: +generation-1.conf +generation-2.conf'],
    );
  });

  test('have it signed once, as an image', async () => {
    const disk = new MemoryDisk({ files: { '/s/stub': aPe() } });
    const programs = await programsToSign(plan, disk);
    assert.deepEqual(
      programs.map(({ name, content }) => [name, isImage(content)]),
      [[image.path, true]],
    );
  });
});
