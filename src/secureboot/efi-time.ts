/** EFI_TIME (UEFI §8.3) in UTC, as signed writes and entries of dbx carry it. */

/** What a time takes: bytes. */
export const TIME_SIZE = 16;

/** Returns the bytes of a time in seconds since the epoch, without nanoseconds and time zone. */
export function formatTime(time: number): Uint8Array {
  const date = new Date(time * 1000);
  const bytes = new Uint8Array(TIME_SIZE);
  new DataView(bytes.buffer).setUint16(0, date.getUTCFullYear(), true);
  bytes.set([date.getUTCMonth() + 1, date.getUTCDate()], 2);
  bytes.set([date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()], 4);
  return bytes;
}

/** Some tools count months from 0: a month that is none makes no time. */
export function parseTime(view: DataView): number | undefined {
  const [month, day, hour, minute, second] = [2, 3, 4, 5, 6].map((at) => view.getUint8(at));
  const date = [view.getUint16(0, true), month, day].map((part, index) =>
    String(part).padStart(index === 0 ? 4 : 2, '0'),
  );
  const clock = [hour, minute, second].map((part) => String(part).padStart(2, '0'));
  const text = `${date.join('-')}T${clock.join(':')}.000Z`;
  const time = Date.parse(text);
  // What overflows, as the 30th of February, would come back as another day.
  return Number.isNaN(time) || new Date(time).toISOString() !== text ? undefined : time / 1000;
}
