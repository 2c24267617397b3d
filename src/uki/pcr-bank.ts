/** The names of a TPM's banks, each of which digests the same bytes by its algorithm. */

/** In the order in which systemd-pcrlock and systemd-measure write them. */
export const BANKS = ['sha1', 'sha256', 'sha384', 'sha512'] as const;

export type Bank = (typeof BANKS)[number];

/**
 * Returns banks by their names, in any case, divided by blanks or commas; undefined where a name is none.
 */
export function parseBanks(text: string): readonly Bank[] | undefined {
  const names = text
    .trim()
    .replace(/,$/, '')
    .trim()
    .toLowerCase()
    .split(/\s*,\s*|\s+/);
  const banks = BANKS.filter((bank) => names.includes(bank));
  return names.every((name) => banks.some((bank) => bank === name)) ? banks : undefined;
}
