/** Does the same to several files, a few of them at once. */

/** Files at once: one is made durable while the next is being read. */
export const AT_ONCE = 4;

/**
 * Does work for each item, in order, for at most `most` at once. After a failure no more is begun; what
 * was begun ends first, so that nothing is written any more when this rejects.
 */
export async function several<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of queue) {
      if (failures.length > 0) return;
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
