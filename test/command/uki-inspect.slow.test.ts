import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { hash } from '../../src/digest.ts';
import { EspError } from '../../src/error.ts';
import { formatSections, inspectSections, ukiReport } from '../../src/uki/inspect.ts';
import { concat } from '../pe/a-pe.ts';
import { aWorkbench } from './a-uki.ts';

test('text and JSON tell the same, and --all tells of the stub too', async (t) => {
  const bench = aWorkbench(t);
  await bench.build('--cmdline', 'quiet', '--section', '.mine:x');
  const image = bench.path('out.efi');
  const { output: text } = await bench.try(['inspect', image]);
  assert.match(
    text,
    /^\.cmdline:\n {2}size: 5 bytes\n {2}sha256: [0-9a-f]{64}\n {2}text:\n {4}quiet$/m,
  );
  assert.doesNotMatch(text, /^\.(text|mine):/m);
  const { output: all } = await bench.try(['inspect', '--all', image]);
  assert.match(all, /^\.mine:\n {2}size: 1 bytes\n/m);
  const { output: json } = await bench.try(['inspect', '--json', image]);
  assert.deepEqual(JSON.parse(json)['.cmdline'], { size: 5, sha256: hash('quiet'), text: 'quiet' });
});

test('what an image says cannot command a terminal', async (t) => {
  const bench = aWorkbench(t);
  await bench.build('--cmdline', `@${bench.put('cmdline', 'a\u001b[2Jb\u009b\tc\r\nd')}`);
  const { output } = await bench.try(['inspect', bench.path('out.efi')]);
  assert.match(output, /^ {4}a\\x1b\[2Jb\\x9b\tc\\x0d\n {4}d$/m);
});

test('a file that is no image is refused by name', async (t) => {
  const bench = aWorkbench(t);
  const { error } = await bench.try(['inspect', bench.path('initrd')]);
  assert.equal(error?.code, 'PE_MALFORMED');
  assert.match(error?.message ?? '', /initrd: DOS header/);
  assert.equal((await bench.try(['inspect', '/none'])).error?.code, 'FILE_MISSING');
});

test('an image with any bytes changed or cut off is shown or refused', async (t) => {
  const bench = aWorkbench(t);
  await bench.build('--cmdline', 'quiet', '--profile', 'ID=x', '--section', '.mine:x');
  const image = bench.bytes('out.efi');
  const change = fc.tuple(fc.nat({ max: 0x500 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 6 }),
      fc.option(fc.nat({ max: image.length })),
      (changes, end) => {
        const bytes = image.slice(0, end ?? image.length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const hashAll = (chunks: Iterable<Uint8Array>) => hash(concat([...chunks]));
          const sections = inspectSections(bytesSource(bytes), hashAll, { shown: () => true });
          JSON.stringify(ukiReport(sections));
          assert.doesNotMatch(formatSections(sections), /[^\P{Cc}\n\t]/u);
        } catch (error) {
          if (!(error instanceof EspError)) throw error;
        }
      },
    ),
    { numRuns: 500 },
  );
});
