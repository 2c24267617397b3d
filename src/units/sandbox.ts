/** What systemd takes from every service of ours. */

/** Lines of a unit file, and the reason for them, which becomes a comment. */
export type Directive = readonly [reason: string, ...lines: readonly string[]];

/**
 * Rights that no service of ours needs. Confinement leaves nothing for ProtectSystem= to protect.
 */
export const SANDBOX: readonly Directive[] = [
  [
    'The ESP, the state and the keys are root’s own: it needs no power over what is not.',
    'CapabilityBoundingSet=',
  ],
  ['Nothing that it starts can get more than it has.', 'NoNewPrivileges=yes'],
  ['Whoever it could become in here is nobody outside.', 'PrivateUsers=yes'],
  ['It speaks to nobody on any network.', 'PrivateNetwork=yes'],
  ['Should a drop-in give it the network, it gives the addresses too.', 'IPAddressDeny=any'],
  ['The one socket is that of systemd.', 'RestrictAddressFamilies=AF_UNIX'],
  [
    'The ESP is a mounted file system: its block device is not needed.',
    'PrivateDevices=yes',
    'DevicePolicy=closed',
  ],
  ['Its temporary files are nobody’s business.', 'PrivateTmp=yes'],
  ['What it might mount stays with it; what the machine mounts arrives.', 'PrivateMounts=yes'],
  ['Nothing that boots lies in a home.', 'ProtectHome=yes'],
  ['It reads the clock and never sets it.', 'ProtectClock=yes'],
  ['It has no use for another host name.', 'ProtectHostname=yes'],
  ['It changes no setting of the kernel.', 'ProtectKernelTunables=yes'],
  [
    'The modules of an installed kernel say that it is whole; without rights it loads none of them.',
    'ProtectKernelModules=no',
  ],
  [
    'Its own log goes to the journal, and that of the kernel is not its business.',
    'ProtectKernelLogs=yes',
  ],
  [
    'It has one process and short-lived children: nothing to sort into control groups.',
    'ProtectControlGroups=yes',
  ],
  ['Processes of other users are not its business.', 'ProtectProc=invisible'],
  ['Of /proc it reads its own mount table and nothing about the machine.', 'ProcSubset=pid'],
  ['It starts no containers, so it makes no name spaces.', 'RestrictNamespaces=yes'],
  ['Nobody waits for it by the millisecond.', 'RestrictRealtime=yes'],
  ['FAT has no setuid files, and it makes them nowhere else.', 'RestrictSUIDSGID=yes'],
  [
    'It makes the system calls of its own architecture and of no other.',
    'LockPersonality=yes',
    'SystemCallArchitectures=native',
  ],
  [
    'With --jitless V8 needs no memory that is both written and executed.',
    'MemoryDenyWriteExecute=yes',
  ],
  [
    'Of system calls, those of a service without privileges; what else it tries fails.',
    'SystemCallFilter=@system-service',
    'SystemCallFilter=~@privileged @resources',
    'SystemCallErrorNumber=EPERM',
  ],
  ['What it writes beside the ESP is for root alone.', 'UMask=0077'],
  ['It may hold the private key, and a crash must not write that to a disk.', 'LimitCORE=0'],
  [
    'Large files pass through it piece by piece: what grows like this is out of hand.',
    'MemoryMax=50%',
  ],
];
