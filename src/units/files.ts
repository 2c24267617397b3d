/**
 * The unit files: what systemd starts, when, and how little of the machine each service may touch.
 */

import { dirname } from 'node:path';
import type { Reach } from './reach.ts';
import { type Directive, SANDBOX } from './sandbox.ts';

/** What differs from machine to machine. All paths are absolute. */
export interface Installation extends Reach {
  /** Node; the program itself where Node is inside it. */
  readonly node: string;
  /** The program's own file. */
  readonly program: string;
  /** The systemd-notify program. */
  readonly notify: string;
  /** The configuration file, when it is not the usual one. */
  readonly config?: string;
  /** The directory from which node_exporter collects text files, when it is not Debian's. */
  readonly metricsDirectory?: string;
}

/** Where Debian's node_exporter collects text files. */
const METRICS_DIRECTORY = '/var/lib/prometheus/node-exporter';

/** A unit file by its name. */
export interface UnitFile {
  readonly name: string;
  readonly text: string;
}

/** Returns the unit files for an installation. */
export function unitFiles(installation: Installation): readonly UnitFile[] {
  return [
    { name: 'espalier-watch.service', text: watchService(installation) },
    { name: 'espalier-install.service', text: installService(installation) },
    { name: 'espalier-verify.service', text: verifyService(installation) },
    { name: 'espalier-verify.timer', text: verifyTimer() },
    { name: 'espalier-metrics.service', text: metricsService(installation) },
    { name: 'espalier-metrics.timer', text: metricsTimer() },
  ];
}

function watchService(installation: Installation): string {
  return unit({
    Unit: [['Shown by systemctl status.', 'Description=Boot entries follow the profiles']],
    Service: [
      ['It tells when it is ready, what it did last, and that it is alive.', 'Type=notify'],
      [
        'The words come through systemd-notify, a process of its own, which is found here.',
        'NotifyAccess=all',
        `Environment=${quote(`PATH=${dirname(installation.notify)}`)}`,
      ],
      [
        'A bound file is that of the start, whatever takes its place later: so there is a copy.',
        exec('ExecStartPre', installation, 'config', 'copy', COPY),
      ],
      [JITLESS, exec('ExecStart', { ...installation, config: COPY }, 'watch')],
      [
        'This process sees the file that is there now; SIGHUP makes the watcher read the copy.',
        `${exec('ExecReload', installation, 'config', 'copy', COPY)} --hangup ${MAIN_PROCESS}`,
      ],
      ['A loop that hangs for so long is killed and started again.', 'WatchdogSec=5min'],
      [
        'What crashed is tried again, for as long as it takes.',
        'Restart=on-failure',
        'RestartSec=10s',
      ],
      [
        'Wrong settings (2) and a refusal (3) stay what they are until a person changes something.',
        'RestartPreventExitStatus=2 3',
      ],
      [
        'SIGTERM is for the program alone: it ends what it started, after the phase that runs.',
        'KillMode=mixed',
      ],
      ['A phase may be writing a large image to a slow disk.', 'TimeoutStopSec=2min'],
      ...everyService(installation),
    ],
    Install: [['It is part of a machine that is up.', 'WantedBy=multi-user.target']],
  });
}

function installService(installation: Installation): string {
  return unit({
    Unit: [['Shown by systemctl status.', 'Description=Bring the ESP in line with the profiles']],
    Service: [
      ['A hook that starts it waits until the entries are durable.', 'Type=oneshot'],
      [JITLESS, exec('ExecStart', installation, 'install')],
      [
        'Done with warnings (5): the target boots, and the journal says what needs a look.',
        'SuccessExitStatus=5',
      ],
      [
        'A run that waits for another one and then writes large images is not stuck.',
        'TimeoutStartSec=15min',
      ],
      ...everyService(installation),
    ],
  });
}

function verifyService(installation: Installation): string {
  return unit({
    Unit: [['Shown by systemctl status.', 'Description=Verify every file of ours on the ESP']],
    Service: [
      ['It ends by itself, and failed is what it is when something is damaged.', 'Type=oneshot'],
      [JITLESS, exec('ExecStart', installation, 'verify', '--deep')],
      [
        'It reads all of the ESP, and nobody waits for it.',
        'CPUSchedulingPolicy=idle',
        'IOSchedulingClass=idle',
      ],
      ...everyService(installation),
    ],
  });
}

function verifyTimer(): string {
  return unit({
    Unit: [['Shown by systemctl list-timers.', 'Description=Verify the ESP once a week']],
    Timer: [
      ['Flash memory fades and file systems rot slowly.', 'OnCalendar=weekly'],
      ['A machine that was off on the day does it when it is on again.', 'Persistent=yes'],
      ['Machines that share a disk or a host do not do it together.', 'RandomizedDelaySec=6h'],
      ['Any hour of that day will do, so nobody is woken for it.', 'AccuracySec=1h'],
    ],
    Install: [['It is one of the machine’s regular jobs.', 'WantedBy=timers.target']],
  });
}

function metricsService(installation: Installation): string {
  const { metricsDirectory: directory = METRICS_DIRECTORY, writable } = installation;
  return unit({
    Unit: [
      ['Shown by systemctl status.', 'Description=Metrics of the ESP for node_exporter'],
      [
        'Where nobody collects text files there is nothing to do.',
        `ConditionPathIsDirectory=${directory.replaceAll('%', '%%')}`,
      ],
    ],
    Service: [
      ['It writes one file and ends.', 'Type=oneshot'],
      [
        JITLESS,
        exec(
          'ExecStart',
          installation,
          ...['status', '--metrics', '--output', `${directory}/espalier.prom`],
        ),
      ],
      ['That something needs a look (5) is what the metrics say.', 'SuccessExitStatus=5'],
      ['Nobody waits for it.', 'CPUSchedulingPolicy=idle', 'IOSchedulingClass=idle'],
      ...everyService({ ...installation, writable: [...writable, directory] }),
    ],
  });
}

function metricsTimer(): string {
  return unit({
    Unit: [
      [
        'Shown by systemctl list-timers.',
        'Description=Metrics of the ESP every quarter of an hour',
      ],
    ],
    Timer: [
      ['The ESPs are mounted by then.', 'OnBootSec=2min'],
      ['A look costs a fifth of a second of CPU time.', 'OnUnitActiveSec=15min'],
      ['Machines that share a host do not do it together.', 'RandomizedDelaySec=1min'],
      ['The exact moment is all the same, so nobody is woken for it.', 'AccuracySec=1min'],
    ],
    Install: [['It is one of the machine’s regular jobs.', 'WantedBy=timers.target']],
  });
}

const HEADER =
  '# Written by `espalier units`. Change it with `systemctl edit`, which this does not undo.\n';

const JITLESS =
  'Without a JIT compiler nothing that was written can be executed, see MemoryDenyWriteExecute=.';

/** Returns the settings that all services share. */
function everyService({ program, writable, readable }: Installation): readonly Directive[] {
  const paths = (all: readonly string[]): string => all.map((path) => quote(`-${path}`)).join(' ');
  return [
    ['The journal shows the program’s name and not that of Node.', 'SyslogIdentifier=espalier'],
    [
      'Locks lie here, shared with every run of root outside, so they outlive the service.',
      'RuntimeDirectory=espalier',
      'RuntimeDirectoryMode=0700',
      'RuntimeDirectoryPreserve=yes',
    ],
    [
      'Digests are remembered here; without it every start hashes every kernel again.',
      'CacheDirectory=espalier',
      'CacheDirectoryMode=0700',
    ],
    [
      'Which systems are this machine’s is kept here, and without Nix the pins.',
      'StateDirectory=espalier',
    ],
    [
      'Confined, it sees the ESPs: those that are there when it starts, and those mounted later.',
      `BindPaths=${paths(writable)}`,
    ],
    ['Confined, it sees its own program.', `BindReadOnlyPaths=${quote(program)}`],
    [
      'Confined, it reads settings, profiles, store and keys as they are at its start, and tells systemd.',
      `BindReadOnlyPaths=${paths(readable)}`,
    ],
    ...SANDBOX,
  ];
}

function exec(name: string, installation: Installation, ...verb: string[]): string {
  const { config } = installation;
  const settings = config === undefined ? [] : ['--config', config];
  return `${name}=${command([...start(installation), ...verb, ...settings])}`;
}

/** Returns the words that start the program without a JIT compiler. */
function start({ node, program }: Installation): readonly string[] {
  // The code that an executable carries is for the compiler; without one, Node warns of it at each start.
  if (node === program) return [program, '--node-options=--jitless --no-warnings'];
  return [node, '--jitless', program];
}

/** The watcher reads its settings from this copy. */
const COPY = '/run/espalier/watch.toml';

/** The manager replaces this by the number of the service's main process (systemd.exec(5)). */
const MAIN_PROCESS = '$MAINPID';

/**
 * Returns words as a command line that expands no variables (systemd.service(5) §Command Lines).
 */
function command(words: readonly string[]): string {
  return words.map((word) => quote(word).replaceAll('$', '$$$$')).join(' ');
}

/** Quotes a word (systemd.syntax(7) §Quoting, systemd.unit(5) §Specifiers). */
function quote(word: string): string {
  const text = word.replaceAll('%', '%%');
  return /^[\w@%./+=-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function unit(sections: Readonly<Record<string, readonly Directive[]>>): string {
  const texts = Object.entries(sections).map(
    ([name, directives]) => `[${name}]\n${directives.map(format).join('')}`,
  );
  return [HEADER, ...texts].join('\n');
}

function format([reason, ...lines]: Directive): string {
  return `# ${reason}\n${lines.join('\n')}\n`;
}
