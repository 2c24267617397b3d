/** Reads until a buffer is full: the kernel may return fewer bytes at a time. */
import * as fs from 'node:fs';

/** Reads until `bytes` is full or the file ends. Returns the bytes that were read. */
export function fill(fd: number, offset: number, bytes: Uint8Array): Uint8Array {
  let done = 0;
  while (done < bytes.length) {
    const count = fs.readSync(fd, bytes, done, bytes.length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return done === bytes.length ? bytes : bytes.subarray(0, done);
}
