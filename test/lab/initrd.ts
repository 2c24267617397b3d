/** An initrd whose /init prints one line that proves which entry booted. */
import { join } from 'node:path';
import { formatCpio, type Member, memberFrom, memberOf } from './cpio.ts';
import type { Parts } from './parts.ts';

/** The word that starts the proof on the console. */
export const proofMark = 'ESPALIER-PROOF';

/** The word that starts a line with PCR 11 in the bank of SHA-256 and the firmware's event log. */
export const measuredMark = 'ESPALIER-MEASURED';

/** Returns busybox as a member. */
export function shellMember(parts: Parts): Member {
  return memberFrom('bin/busybox', parts.busybox, 0o755);
}

/** Returns a kernel module as a member, named without its folders. */
export function moduleMember(parts: Parts, path: string): Member {
  return memberFrom(
    `modules/${path.slice(path.lastIndexOf('/') + 1)}`,
    join(parts.modules, 'kernel', path),
  );
}

const proofInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t securityfs security /sys/kernel/security
insmod /modules/efivarfs.ko && mount -t efivarfs efivars /sys/firmware/efi/efivars
efi=/sys/firmware/efi/efivars
text() { tail -c +5 "$efi/$1-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" | tr -d '\\000'; }

test -x /before-proof && sh /before-proof
generation=none
for word in $(cat /proc/cmdline); do
  case $word in init=*-generation-*/init)
    generation=\${word##*-generation-}
    generation=\${generation%/init} ;;
  esac
done
secure=$(tail -c 1 $efi/SecureBoot-* | tr '\\000\\001' 01)
lockdown=$(sed 's/.*\\[\\(.*\\)\\].*/\\1/' /sys/kernel/security/lockdown)
{
  echo
  if test -e /sys/class/tpm/tpm0; then
    echo "${measuredMark} pcr11=$(cat /sys/class/tpm/tpm0/pcr-sha256/11) log=$(base64 -w 0 /sys/kernel/security/tpm0/binary_bios_measurements)"
  fi
  echo "${proofMark} generation=$generation secureboot=$secure lockdown=$lockdown entry=$(text LoaderEntrySelected) loader=$(text LoaderInfo | tr ' ' _) cmdline=$(cat /proc/cmdline)"
} > /dev/console 2>&1
# the kernel's own last words would go into the middle of the line: this waits until it is out
stty -echo < /dev/console
poweroff -f
`;

/**
 * Returns an initrd that prints one proof line on the console, after one of what was measured where
 * there is a TPM, and powers the machine off. The line names the generation by the
 * `…-generation-<N>/init` of the command line.
 * @param note text that makes one initrd differ from another
 * @param more what else it brings: a script `before-proof` is run before the line is printed
 */
export function makeProofInitrd(
  parts: Parts,
  note: string,
  more: readonly Member[] = [],
): Uint8Array {
  return formatCpio([
    shellMember(parts),
    moduleMember(parts, 'fs/efivarfs/efivarfs.ko'),
    memberOf('note', `${note}\n`),
    memberOf('init', proofInit, 0o755),
    ...more,
  ]);
}
