/** Reads the contents of a tree's files, each from where it lies. */
import type { Disk, OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { TreeNode } from './node.ts';

/** Reads contents; the tar file that many of them lie in stays open meanwhile. */
export class ContentReader implements Disposable {
  readonly #disk: Disk;
  #file: OpenFile | undefined;
  #path: string | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /**
   * Fills memory with the bytes of a file from an offset on.
   * @throws {SOURCE_CHANGED} when the file is shorter than it was when the tree was made
   */
  readInto(node: TreeNode, offset: number, memory: Uint8Array): void {
    const { content } = node;
    if (content === undefined) throw new Error(`${node.path} has no content to read`);
    if ('bytes' in content) {
      memory.set(content.bytes.subarray(offset, offset + memory.length));
      return;
    }
    const got = this.#open(content.path).readInto(content.offset + offset, memory);
    if (got.length === memory.length) return;
    const expected = content.offset + offset + memory.length;
    throw new EspError(
      'SOURCE_CHANGED',
      `${content.path}: expected at least ${expected} bytes, got ${content.offset + offset + got.length}`,
      { hint: 'nothing may change the sources while an image is made from them' },
    );
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
    this.#path = undefined;
  }

  #open(path: string): OpenFile {
    if (this.#file !== undefined && this.#path === path) return this.#file;
    this[Symbol.dispose]();
    this.#file = this.#disk.open(path);
    this.#path = path;
    return this.#file;
  }
}
