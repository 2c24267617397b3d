/** Swap space: a header alone (Linux, include/linux/swap.h). */
import { EspError } from '../error.ts';
import { parseUuid } from '../verity/uuid.ts';
import { whole } from './region.ts';
import { type Maker, OWN, type Plan } from './request.ts';

const PAGE = 4096;
const VERSION = 1024;
const LAST_PAGE = 1028;
const UUID = 1036;
const LABEL = 1052;
const MAX_LABEL = 16;
const MAGIC = 'SWAPSPACE2';
/** As mkswap: the header and nine pages. */
const LEAST = 10 * PAGE;

export const SWAP: Maker = {
  plan({ tree, spare }): Plan {
    if (tree.length > 1) {
      throw new EspError(
        'CONFIG_INVALID',
        `swap holds no files, and ${tree.length - 1} are declared`,
      );
    }
    return { size: sizeFor(spare), place: 'in-place', by: OWN };
  },
  async make({ label, uuid, spare }, region): Promise<number> {
    const size = whole(region, Math.max(LEAST, region.size ?? sizeFor(spare)));
    const page = new Uint8Array(PAGE);
    const view = new DataView(page.buffer);
    view.setUint32(VERSION, 1, true);
    view.setUint32(LAST_PAGE, Math.floor(size / PAGE) - 1, true);
    page.set(parseUuid(uuid) ?? [], UUID);
    page.set(new TextEncoder().encode(label).subarray(0, MAX_LABEL - 1), LABEL);
    page.set(new TextEncoder().encode(MAGIC), PAGE - MAGIC.length);
    region.file.writeAt(region.offset, page);
    return size;
  },
};

function sizeFor(spare: number): number {
  return Math.max(LEAST, Math.ceil(spare / PAGE) * PAGE);
}
