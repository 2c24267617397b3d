/** The next run where it really happens: on the kernel's own vfat, on file systems that nobody has mended. */
import { runInGuest } from '../lab/guest.ts';
import { mendImage } from './fsck.ts';
import { type Finding, judgeTree } from './judge.ts';
import type { Moment } from './moments.ts';
import { commandOf, DONE, membersOf, PATIENCE, type Recording, type Studio } from './recording.ts';
import { readImage } from './tree.ts';
import type { Truth } from './truth.ts';

/**
 * Runs a scenario's action once more on images of moments, in one guest, and returns what is wrong
 * afterwards. On a sound file system the run must end where the uninterrupted one did. On one that wants
 * fsck.fat it may refuse, or leave what only fsck.fat may touch; only where it refused may another entry
 * than the wanted one start, as long as it is whole.
 */
export async function rerunInGuest(
  images: ReadonlyMap<Moment, string>,
  { scenario, world }: Recording,
  { parts, bundle }: Studio,
  truth: Truth,
): Promise<(Finding & { cut: string })[]> {
  const [image, ...more] = images.values();
  if (image === undefined) return [];
  const ran = await runInGuest({
    parts,
    image,
    more,
    members: membersOf(world, bundle),
    commands: [...images.values()].map((_, index) =>
      onDisk(index, commandOf(scenario, world, ESP)),
    ),
    limit: PATIENCE,
  });
  return [...images].flatMap(([moment, path], index) => {
    const { status = 1, output = '' } = ran[index] ?? {};
    const said = `in a guest the next run ended with ${status}: ${output.slice(-500)}`;
    const findings = findingsOf(moment, path, DONE.includes(status) ? undefined : said, truth);
    return findings.map((finding) => ({ ...finding, cut: `${moment.cut}, then another run` }));
  });
}

const ESP = '/esp';

/** Returns a command that does its work with one of the guest's disks mounted. */
/** Returns a command that does its work with one of the guest's disks mounted. */
export function onDisk(index: number, command: string): string {
  const device = `/dev/vd${String.fromCharCode('a'.charCodeAt(0) + index)}`;
  return [
    // The guest itself has mounted the first one.
    `umount /boot 2>/dev/null; mkdir -p ${ESP}`,
    `mount -t vfat -o umask=0077 ${device} ${ESP} || exit 99`,
    command,
    `status=$?; umount ${ESP}; exit $status`,
  ].join('\n');
}

/** Judges an image after another run, which has failed if `failure` says so. */
function findingsOf(
  { isSound }: Moment,
  image: string,
  failure: string | undefined,
  truth: Truth,
): Finding[] {
  const tree = readImage(image, `${image}.tree`);
  const { different } = truth.endOf(tree);
  const { isClean, complaints } = mendImage(image);
  return [
    ...judgeTree(tree, truth).findings.filter(
      ({ clause }) =>
        isSound || failure === undefined || clause !== 'default' || !truth.boots(tree),
    ),
    ...(isSound && failure !== undefined
      ? [{ clause: 'convergence', what: failure } as const]
      : []),
    ...(isSound && failure === undefined && different.length > 0
      ? [{ clause: 'convergence', what: `in a guest differ: ${different.join(', ')}` } as const]
      : []),
    ...(isSound && !isClean
      ? [{ clause: 'file-system', what: complaints.join('; ') } as const]
      : []),
  ];
}
