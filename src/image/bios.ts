/** A BIOS boot loader as GRUB makes it, told where it lies on this disk (GRUB, boot.S and diskboot.S). */

import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';

/** What is brought. */
export interface BiosLoader {
  /** `boot.img`: code for the first sector. */
  readonly boot: Uint8Array;
  /** What `grub-mkimage -O i386-pc` made. */
  readonly core: Uint8Array;
}

/** What is written. */
export interface PlacedBiosLoader {
  /** For the first 440 bytes of the disk. */
  readonly bootCode: Uint8Array;
  readonly core: Uint8Array;
}

const SECTOR = 512;
const BOOT_CODE = 440;
/** In the first sector: where the core is, from which drive to read it, and no check for a floppy. */
const BOOT = { core: 0x5c, drive: 0x64, check: 0x66 } as const;
/** In the core's first sector: where its rest is, how long it is, and where it goes in memory. */
const CORE = { rest: 0x1f4, count: 0x1fc, segment: 0x1fe } as const;
const BOOT_DRIVE = 0xff;
const NO_CHECK = [0x90, 0x90];
/** Where the core runs, in paragraphs of 16 bytes. */
const SEGMENT = 0x0820;

/**
 * Returns the loader for a place.
 * @param at where the core lies, in bytes
 * @param room how many bytes it may take there
 * @throws {CONFIG_INVALID} when the files are not what GRUB makes
 * @throws {IMAGE_FULL} when the core does not fit
 */
export function placeBiosLoader(
  { boot, core }: BiosLoader,
  at: number,
  room: number,
): PlacedBiosLoader {
  if (boot.length !== SECTOR || boot[510] !== 0x55 || boot[511] !== 0xaa) {
    throw new EspError(
      'CONFIG_INVALID',
      `boot code: expected boot.img of GRUB, ${SECTOR} bytes with a mark, got ${boot.length} bytes`,
      {
        hint: 'Debian has it as /usr/lib/grub/i386-pc/boot.img of grub-pc-bin',
      },
    );
  }
  const sectors = Math.ceil(core.length / SECTOR);
  if (sectors < 2) {
    throw new EspError(
      'CONFIG_INVALID',
      `core: expected what grub-mkimage -O i386-pc makes, got ${core.length} bytes`,
    );
  }
  if (sectors * SECTOR > room) {
    throw new EspError(
      'IMAGE_FULL',
      `core: expected at most ${exactSize(room)}, got ${exactSize(core.length)}`,
      {
        hint: 'give grub-mkimage fewer modules',
      },
    );
  }
  const placed = new Uint8Array(sectors * SECTOR);
  placed.set(core);
  const first = new DataView(placed.buffer);
  first.setBigUint64(CORE.rest, BigInt(at / SECTOR + 1), true);
  first.setUint16(CORE.count, sectors - 1, true);
  first.setUint16(CORE.segment, SEGMENT, true);
  const bootCode = boot.slice(0, BOOT_CODE);
  new DataView(bootCode.buffer).setBigUint64(BOOT.core, BigInt(at / SECTOR), true);
  bootCode[BOOT.drive] = BOOT_DRIVE;
  bootCode.set(NO_CHECK, BOOT.check);
  return { bootCode, core: placed };
}
