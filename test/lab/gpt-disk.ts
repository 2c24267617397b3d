/** Images of disks with a GPT, partitioned by sfdisk. Needs fdisk. */
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { run } from './run.ts';

/** Types of partitions (Discoverable Partitions Specification), for x86-64. */
const types = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  xbootldr: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  root: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  'root-verity': '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5',
  usr: '8484680c-9521-48c6-9c11-b0720656f69e',
  'usr-verity': '77ff5f63-e7b6-4633-acf4-1565b864c0e6',
} as const;

/** One partition, and the file with its content. */
export interface GptPartition {
  readonly type: keyof typeof types;
  readonly uuid?: string;
  readonly content: string;
}

const sector = 512;
const mebibyte = 1024 * 1024;
/** Of each partition, and room for the table at either end of the disk. */
const alignment = mebibyte;

/** Makes a disk with these partitions, and returns where each begins, in bytes. */
export function makeGptDisk(disk: string, partitions: readonly GptPartition[]): readonly number[] {
  const sizes = partitions.map(({ content }) => aligned(statSync(content).size));
  const file = openSync(disk, 'w');
  try {
    ftruncateSync(
      file,
      sizes.reduce((sum, size) => sum + size, 2 * alignment),
    );
    const lines = partitions.map(({ type, uuid }, index) => {
      const named = uuid === undefined ? '' : `, uuid=${uuid}`;
      return `size=${(sizes[index] ?? 0) / sector}, type=${types[type]}${named}\n`;
    });
    run('sfdisk', ['--quiet', disk], { input: `label: gpt\n${lines.join('')}` });
    const starts = startsOf(disk);
    partitions.forEach(({ content }, index) => {
      writeSync(file, readFileSync(content), 0, null, starts[index]);
    });
    return starts;
  } finally {
    closeSync(file);
  }
}

function startsOf(disk: string): readonly number[] {
  const { partitiontable } = JSON.parse(run('sfdisk', ['--json', disk])) as {
    readonly partitiontable: { readonly partitions: readonly { readonly start: number }[] };
  };
  return partitiontable.partitions.map(({ start }) => start * sector);
}

function aligned(size: number): number {
  return Math.ceil(size / alignment) * alignment;
}
