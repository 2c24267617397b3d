/** Disk images: how long they take, beside systemd-repart and the programs that make file systems. */
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { hasNewerTools, newerTools } from '../../test/lab/newer-tools.ts';
import { ownWords } from '../../test/lab/package-folder.ts';
import { hasToolRoot, toolRoot } from '../../test/lab/tool-root.ts';
import { makeFile, makeTree, type TreeShape } from './file-tree.ts';
import { aMachine } from './machine.ts';
import { type Command, run } from './process.ts';
import { formatMib, MIB } from './statistics.ts';
import { type Contender, clear, type Make, type Target, type Workshop } from './workload.ts';

const SMALL: TreeShape = { files: 30_000, bytes: 500 * MIB };
const LARGE: TreeShape = { files: 60_000, bytes: 2000 * MIB };

const REPART = 'systemd-repart';
const MKFS = 'mkfs.ext4 -d';
const COPY = 'cp of what it made';
const DIGEST = 'openssl dgst';

/** The workloads by their letters. */
export const IMAGE_WORKLOADS: Readonly<Record<string, Make>> = {
  j: verityImage('j', SMALL, { atMost: 0.6, of: [REPART] }),
  k: verityImage('k', LARGE, { atMost: 0.6, of: [REPART] }),
  l: efiImage('l', SMALL, { atMost: 1.15, of: [MKFS, COPY] }),
  m: hashArea('m', LARGE.bytes, { atMost: 1, of: [DIGEST] }),
};

/** An ESP, an EROFS and its hash tree, from the same definitions. */
function verityImage(id: string, shape: TreeShape, target: Target): Make {
  return (workshop) => {
    const root = join(workshop.work, id);
    const { kernel, initrd } = aMachine(join(root, 'machine'), ONE);
    makeTree(join(root, 'tree'), shape);
    const images = join(root, 'esp/EFI/Linux');
    fs.mkdirSync(images, { recursive: true });
    for (const path of [kernel, initrd]) fs.copyFileSync(path, join(images, basename(path)));
    const definitions = define(root);
    const built = join(root, 'built');
    const ours = join(built, 'espalier.raw');
    const given = ['--definitions', definitions, '--seed', SEED];
    return {
      id,
      title: `ESP, EROFS and hash tree of ${titleOf(shape)}`,
      ...{ target, payload: shape.bytes, needsPayload: true, isWrittenOnce: true },
      contenders: [
        {
          ...{ name: 'espalier', prepare: () => clear(built), output: ours },
          commands: [ourselves(workshop, ['image', 'build', ...given, '--output', ours])],
        },
        ...(hasToolRoot() && hasNewerTools() ? [repart(definitions, built)] : []),
        copyOf(join(root, 'tree'), built),
      ],
    };
  };
}

const ONE = { generations: 1, kernels: 1, initrds: 1 };
const SEED = '11111111-2222-4333-8444-555555555555';

function define(root: string): string {
  const definitions = join(root, 'definitions');
  fs.mkdirSync(definitions);
  const place = (name: string, lines: readonly string[]): void =>
    fs.writeFileSync(join(definitions, name), ['[Partition]', ...lines, ''].join('\n'));
  const size = ['SizeMinBytes=100M', 'SizeMaxBytes=100M'];
  const images = `CopyFiles=${join(root, 'esp')}:/`;
  place('00-esp.conf', ['Type=esp', 'Format=vfat', ...size, images]);
  const group = ['VerityMatchKey=usr', 'Minimize=best'];
  place('10-hash.conf', ['Type=usr-verity', 'Verity=hash', ...group]);
  const content = ['Format=erofs', `CopyFiles=${join(root, 'tree')}:/`];
  place('20-data.conf', ['Type=usr', 'Verity=data', ...group, ...content]);
  return definitions;
}

/** Debian trixie's, with the programs of the same release. */
function repart(definitions: string, built: string): Contender {
  const [program, ...words] = ownWords(toolRoot, 'usr/bin/systemd-repart');
  const output = join(built, 'repart.raw');
  const options = [
    '--empty=create',
    '--size=auto',
    '--dry-run=no',
    '--offline=yes',
    '--sector-size=512',
  ];
  return {
    ...{ name: REPART, prepare: () => clear(built), output },
    commands: [
      {
        program,
        args: [...words, ...options, `--seed=${SEED}`, `--definitions=${definitions}`, output],
        environment: {
          PATH: `${newerTools}:${process.env['PATH']}:/usr/sbin:/sbin`,
          // It copies the tree first, to the same file system as all else.
          TMPDIR: built,
        },
      },
      sync(built),
    ],
  };
}

function copyOf(tree: string, built: string): Contender {
  return {
    name: 'floor: cp, sync -f',
    prepare: () => clear(built),
    commands: [{ program: 'cp', args: ['-r', tree, join(built, 'tree')] }, sync(built)],
  };
}

/** The efi table of make-disk-image, with an ext4 that its own program makes in its place. */
function efiImage(id: string, shape: TreeShape, target: Target): Make {
  return (workshop) => {
    const root = join(workshop.work, id);
    const [tree, built, kept] = ['tree', 'built', 'kept.raw'].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ];
    makeTree(tree, shape);
    const description = join(root, 'image.toml');
    fs.writeFileSync(description, EFI);
    const ours = join(built, 'espalier.raw');
    const command = ourselves(workshop, ['image', 'build', description, '--output', ours]);
    const theirs = join(built, 'theirs.raw');
    const prepare = (): void => {
      clear(built);
      fs.writeFileSync(theirs, '');
      fs.truncateSync(theirs, 1.5 * shape.bytes);
    };
    // What we write, too: no journal and no tables of inodes that are zeros, owned by root.
    const extended = 'nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0';
    const mkfs = { program: 'mkfs.ext4', args: ['-q', '-F', '-E', extended, '-d', tree, theirs] };
    prepare();
    run(mkfs);
    fs.renameSync(theirs, kept);
    return {
      id,
      title: `efi table with an ext4 of ${titleOf(shape)}`,
      ...{ target, payload: shape.bytes, needsPayload: true, isWrittenOnce: true },
      contenders: [
        { name: 'espalier', prepare: () => clear(built), output: ours, commands: [command] },
        { name: MKFS, prepare, output: theirs, commands: [mkfs] },
        {
          ...{ name: COPY, prepare: () => clear(built), output: theirs },
          commands: [{ program: 'cp', args: ['--sparse=auto', kept, theirs] }, sync(built)],
        },
      ],
    };
  };
}

const EFI = `
table = "efi"
boot-size = "100MiB"
[root]
contents = [{ source = "tree", target = "/" }]
`;

/** A hash tree alone, beside reading and hashing the same bytes. */
function hashArea(id: string, bytes: number, target: Target): Make {
  return (workshop) => {
    const root = join(workshop.work, id);
    const data = join(root, 'data');
    fs.mkdirSync(root);
    makeFile(data, bytes);
    const built = join(root, 'built');
    const hashes = join(built, 'hashes');
    return {
      id,
      title: `hash tree of ${formatMib(bytes)} MiB`,
      ...{ target, payload: bytes, needsPayload: true },
      contenders: [
        {
          ...{ name: 'espalier', prepare: () => clear(built), output: hashes },
          commands: [ourselves(workshop, ['verity', 'format', data, hashes, '--seed', SEED])],
        },
        {
          ...{ name: DIGEST, prepare: () => undefined },
          commands: [{ program: 'openssl', args: ['dgst', '-sha256', data] }],
        },
      ],
    };
  };
}

function titleOf({ files, bytes }: TreeShape): string {
  return `${files} files of ${formatMib(bytes)} MiB`;
}

function ourselves({ bundle }: Workshop, args: readonly string[]): Command {
  return { program: process.execPath, args: [bundle, ...args] };
}

function sync(directory: string): Command {
  return { program: 'sync', args: ['-f', directory] };
}
