/** Lays out a treemap: rectangles whose areas are sizes, as square as it goes. Pure. */

/** A rectangle in percent of the whole, from the upper left. */
export interface Tile<Item> {
  readonly item: Item;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Returns a tile for each item, in their order, which covers the whole (Bruls, Huizing and van Wijk,
 * *Squarified Treemaps*). Items of size 0 have none.
 * @param aspect width of the whole divided by its height
 */
export function treemap<Item extends { readonly size: number }>(
  items: readonly Item[],
  aspect: number,
): readonly Tile<Item>[] {
  const left = items.filter(({ size }) => size > 0);
  const tiles: Tile<Item>[] = [];
  let box: Box = { left: 0, top: 0, width: 100 * aspect, height: 100 };
  while (left.length > 0) {
    const area = (box.width * box.height) / sumOf(left);
    const row = left.splice(0, rowLength(left, area, Math.min(box.width, box.height)));
    const placed = place(row, area, box);
    tiles.push(...placed.tiles);
    box = placed.rest;
  }
  return tiles.map(({ left: from, width, ...tile }) => ({
    ...tile,
    left: from / aspect,
    width: width / aspect,
  }));
}

interface Sized {
  readonly size: number;
}

function sumOf(items: readonly Sized[]): number {
  return items.reduce((sum, { size }) => sum + size, 0);
}

/** Returns how many of the first items make the squarest row along the shorter side. */
function rowLength(items: readonly Sized[], area: number, side: number): number {
  let count = 1;
  while (count < items.length) {
    const [now, more] = [items.slice(0, count), items.slice(0, count + 1)];
    if (worst(more, area, side) > worst(now, area, side)) break;
    count++;
  }
  return count;
}

/** Returns the worst proportion of a row: 1 for squares. */
function worst(row: readonly Sized[], area: number, side: number): number {
  const thickness = (sumOf(row) * area) / side;
  const lengths = row.map(({ size }) => (size * area) / thickness);
  return Math.max(...lengths.map((length) => Math.max(length / thickness, thickness / length)));
}

function place<Item extends Sized>(
  row: readonly Item[],
  area: number,
  box: Box,
): { readonly tiles: readonly Tile<Item>[]; readonly rest: Box } {
  const isWide = box.width >= box.height;
  const thickness = (sumOf(row) * area) / (isWide ? box.height : box.width);
  let at = isWide ? box.top : box.left;
  const tiles = row.map((item) => {
    const length = (item.size * area) / thickness;
    const tile = isWide
      ? { item, left: box.left, top: at, width: thickness, height: length }
      : { item, left: at, top: box.top, width: length, height: thickness };
    at += length;
    return tile;
  });
  const rest = isWide
    ? { ...box, left: box.left + thickness, width: box.width - thickness }
    : { ...box, top: box.top + thickness, height: box.height - thickness };
  return { tiles, rest };
}
