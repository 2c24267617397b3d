/** Kept kernels as generations: numbered links to systems, as Nix has them, and which of them boots next. */
import type { Link } from '../generation/generation.ts';
import { isMalformed, readGeneration } from '../generation/generation.ts';
import { kernelLinks } from '../generation/installed-kernels.ts';
import { superseded } from '../generation/retention.ts';
import { compareVersions } from '../version.ts';
import { collect, type KernelStore } from './store.ts';

/** A generation, and whether it was made. */
interface Kept {
  readonly link: Link;
  readonly isNew: boolean;
}

/**
 * Makes a system the newest generation of its kernel, unless it is that already.
 * @param now seconds since the epoch
 */
export function keepGeneration(
  { disk, places: { links: directory } }: KernelStore,
  { toplevel, release }: { readonly toplevel: string; readonly release: string },
  now: number,
): Kept {
  const links = kernelLinks(disk, directory);
  const newest = links.find((link) => link.release === release);
  if (newest && disk.realPath(newest.path) === toplevel) return { link: newest, isNew: false };
  const number = Math.max(0, ...links.map((link) => link.number)) + 1;
  const path = `${directory}/system-${number}-link`;
  disk.makeDirectory(directory);
  disk.makeLink(path, toplevel, now * 1000);
  return { link: { number, path, release }, isNew: true };
}

/** Says which generation boots next, or that none does. */
export function chooseNext(
  { disk, places: { links: directory } }: KernelStore,
  link: Link | undefined,
  now: number,
): void {
  const path = currentLink(directory);
  if (link) disk.makeLink(path, `system-${link.number}-link`, now * 1000);
  // SAFETY: this link lies outside the ESP, where what boots next stays until a run changes it.
  else disk.remove(path);
}

/** Returns the generation that boots next, if the link to it leads to one. */
export function keptNext({ disk, places: { links } }: KernelStore): Link | undefined {
  const target = disk.readLink(currentLink(links));
  return kernelLinks(disk, links).find(({ number }) => target === `system-${number}-link`);
}

function currentLink(directory: string): string {
  return `${directory}/system`;
}

/** Returns the newest generation that can be installed. */
export function newestWhole(store: KernelStore): Link | undefined {
  return kernelLinks(store.disk, store.places.links).find((link) => isWhole(link, store));
}

export function isWhole(link: Link, { disk }: Pick<KernelStore, 'disk'>): boolean {
  return !isMalformed(readGeneration(disk, link));
}

/** Whether a generation should boot next in place of another: its kernel is no older. */
export function isNewer(link: Link, than: Link | undefined): boolean {
  return than === undefined || compareVersions(link.release ?? '', than.release ?? '') >= 0;
}

/** Removes links. */
export function forget({ disk, places }: KernelStore, links: readonly Link[]): void {
  for (const { path } of links) {
    // SAFETY: this link lies outside the ESP. Its entries boot as before, until a later run removes
    // them.
    disk.remove(path);
  }
  // SAFETY: as above.
  if (links.length > 0) disk.syncDirectory(places.links);
}

/**
 * Forgets generations that newer ones of the same kernel replace, and removes from the store what no
 * generation or pin needs. Broken ones that were replaced go at once: nobody can go back to them.
 * @param running the real path of the running system
 */
export function tidy(store: KernelStore, running: string | undefined): readonly Link[] {
  const { disk, places } = store;
  const links = kernelLinks(disk, places.links);
  const systems = links.map((link) => ({ ...link, toplevel: disk.realPath(link.path) }));
  const gone = superseded(systems, running, (link) => !isWhole(link, store));
  forget(store, gone);
  const kept = [...kernelLinks(disk, places.links), ...kernelLinks(disk, places.pins)];
  const wanted = kept.flatMap(({ path }) => disk.realPath(path) ?? []);
  collect(store, new Set(running === undefined ? wanted : [...wanted, running]));
  return gone;
}
