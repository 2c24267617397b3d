/** The services in a Debian guest with real systemd, confined as `espalier units` installs them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { once, theParts, whatIsMissing } from '../boot/installed.ts';
import { memberOf } from '../lab/cpio.ts';
import { makeEmptyImage } from '../lab/esp-image.ts';
import type { GuestRan } from '../lab/guest-commands.ts';
import { run } from '../lab/run.ts';
import { runInSystemdGuest } from '../lab/systemd-guest.ts';
import { findSystemdRoot } from '../lab/systemd-root.ts';
import { aGuestMachine, PROGRAM } from './a-guest-machine.ts';

const skip =
  whatIsMissing(['qemu-system-x86', 'dosfstools']) ||
  (findSystemdRoot() === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts');

const megabyte = 1024 * 1024;
/** What takes so long to write that a signal hits the middle of it. */
const large = (fill: number): Uint8Array => new Uint8Array(12 * megabyte).fill(fill);
const generations = [
  ...[{}, {}, {}, { initrd: large(4) }, { initrd: large(5) }],
  ...[{}, {}, {}, { initrd: large(9) }],
];

const image = (number: number): string => `/boot/EFI/Linux/nixos-generation-${number}-*.efi`;
const writing = 'ls -A /boot/EFI/Linux | grep -q "^.espalier"';
const installed = (number: number): string => `ls ${image(number)}`;
const mainProcess = '$(systemctl show -P MainPID espalier-watch)';
const service = 'systemctl show espalier-watch -p ActiveState,StatusText,NRestarts,Result';
const verify = `node ${PROGRAM} verify --deep`;

/** Waits until a command succeeds. After a minute or so says how the watcher is, and gives up. */
function until(condition: string): string {
  const sayWhy = `${service}; journalctl -o cat -u espalier-watch | tail; find /boot`;
  return `n=0
    until { ${condition}; } >/dev/null 2>&1; do
      n=$((n+1)); if [ $n -gt 150 ]; then ${sayWhy}; exit 1; fi; usleep 200000
    done`;
}

/** Replaces settings of the watcher until they are replaced again. */
function override(...lines: readonly string[]): string {
  const folder = '/run/systemd/system/espalier-watch.service.d';
  const text = ['[Service]', ...lines].join('\\n');
  return `mkdir -p ${folder}; printf '${text}\\n' > ${folder}/zz-test.conf; systemctl daemon-reload`;
}

/** A shell in place of the program: everything else of the unit stays. */
const shell = [
  'Type=oneshot',
  'Restart=no',
  'ExecStart=',
  'ExecStart=/usr/bin/busybox sh /look',
  'SyslogIdentifier=look',
  'BindReadOnlyPaths=/usr/bin/busybox /look',
];

/** Prints every file in sight but for those of the kernel, and which of some it may write to. */
const look = `
busybox=/usr/bin/busybox
$busybox find / '(' -path /proc -o -path /sys -o -path /dev ')' -prune -o ! -type d -print
for path in /boot/probe /run/espalier/probe /nix/store/probe /nix/var/nix/profiles/probe \\
  /usr/bin/node /etc/espalier.toml; do
  $busybox touch $path && echo "may write $path"
done
$busybox rm /boot/probe
`;

const mount = 'mount -t vfat -o umask=0077,noatime /dev/vda /boot';

/** How often the journal has an error of this code, as an error and as over. */
const complaints = (code: string): string =>
  `journalctl -o cat -u espalier-watch | grep ${code} | sed 's/^this is over: .*/OVER/;/^OVER$/!s/.*/TOLD/'`;

/** A file that says that it is larger than what its clusters hold: to read it is an error of the file system. */
const TRAP = 'TRAP';

function setTrap(image: string): void {
  run('mcopy', ['-i', image, '-', `::/${TRAP}`], { input: 'x' });
  const bytes = readFileSync(image);
  const entry = bytes.indexOf(TRAP.padEnd(11));
  bytes.writeUInt32LE(megabyte, entry + 28);
  writeFileSync(image, bytes);
}

/** What is done in the guest, one after the other. */
const steps = {
  setUp: `ln -s $(readlink -f /nix/var/nix/profiles/system) /run/booted-system
    node ${PROGRAM} units --prefix /usr && systemctl daemon-reload`,
  start: `systemctl start espalier-watch && ${until(installed(1))}; ${until(`${service} | grep "boots next"`)}; ${service}
    grep VmRSS /proc/${mainProcess}/status`,
  follow: (switchTo: Switch) => `${switchTo(2)}; ${until(installed(2))}`,
  reload: `(cat /etc/espalier.toml; printf 'limit = 1\\n[loader]\\ntimeout = 77\\n') > /etc/new
    mv /etc/new /etc/espalier.toml; systemctl reload espalier-watch && ${until('grep "timeout 77" /boot/loader/loader.conf')}; ${service}`,
  hang: `${override('WatchdogSec=10s', 'RestartSec=1s')}
    systemctl restart espalier-watch; kill -STOP ${mainProcess}
    ${until('[ $(systemctl show -P NRestarts espalier-watch) -gt 0 ]')}
    ${until(`${service} | grep "boots next"`)}; journalctl -o cat -u espalier-watch | grep -i watchdog`,
  late: (switchTo: Switch) => `systemctl stop espalier-watch; umount /boot; ${switchTo(3)}
    systemctl start espalier-watch; (${until(`${service} | grep "no FAT"`)}); ls -A /boot
    ${mount}; ${until(installed(3))}
    ${until(`! ${installed(2)}`)}; ls /boot/EFI/Linux`,
  stop: (switchTo: Switch) => `${switchTo(4)}; ${until(writing)}
    systemctl stop espalier-watch; ${service}; ls -A /boot/EFI/Linux; ${verify}`,
  kill: (switchTo: Switch) => `systemctl start espalier-watch; ${switchTo(5)}; ${until(writing)}
    systemctl kill -s KILL espalier-watch; ls -A /boot/EFI/Linux
    ${until(installed(5))}; ${until(`! ${writing}`)}; ${until(`${service} | grep "generation-5.* boots next"`)}`,
  held: (switchTo: Switch) => `umount /boot; ${switchTo(6)}
    ${until(`${service} | grep "generation-6.* boots next"`)}; ls -A /boot
    ${mount}; ${installed(6)}`,
  readOnly: (switchTo: Switch) => `mount -o remount,ro /boot; ${switchTo(7)}
    ${until(`${service} | grep "read-only"`)}; sleep 4; ${service}
    mount -o remount,rw /boot; ${until(installed(7))}; ${complaints('ESP_READ_ONLY')}`,
  damaged: (
    switchTo: Switch,
  ) => `cat /boot/${TRAP} > /dev/null; grep /boot /proc/mounts; ${switchTo(8)}
    ${until(`${service} | grep "read-only"`)}; rm /boot/${TRAP}
    mount -o remount,rw /boot; rm /boot/${TRAP}; ${until(installed(8))}`,
  full: (switchTo: Switch) => `dd if=/dev/zero of=/boot/filler bs=64k; ${switchTo(9)}
    ${until(`${service} | grep "can be had"`)}; sleep 4; ${service}; ${installed(8)}
    rm /boot/filler; ${until(installed(9))}; ${complaints('ESP_FULL')}`,
  verify: 'systemctl start espalier-verify && journalctl -o cat -u espalier-verify',
  hook: 'systemctl start espalier-install && journalctl -o cat -u espalier-install',
  timer: 'systemctl start espalier-verify.timer && systemctl list-timers',
  shell: `${override(...shell)}; systemctl cat espalier-watch; echo
    systemctl restart espalier-watch; journalctl -o cat -t look`,
} as const;

type Switch = (number: number) => string;
type Step = keyof typeof steps;

/** Does all steps in one guest. */
async function runSteps(image: string): Promise<(step: Step) => GuestRan> {
  const machine = aGuestMachine(theParts(), await bundle(), generations);
  makeEmptyImage(image, 256 * megabyte);
  setTrap(image);
  const names = Object.keys(steps) as Step[];
  const commands = Object.values(steps).map((step) =>
    typeof step === 'string' ? step : step(machine.switchTo),
  );
  const members = [...machine.members, memberOf('look', look)];
  const ran = await runInSystemdGuest({ parts: theParts(), image, members, commands, limit: 400 });
  return (step) => {
    const found = ran[names.indexOf(step)];
    assert.ok(found !== undefined);
    return found;
  };
}

suite('the services in a guest, confined', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-units-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const esp = join(folder, 'esp.img');
  const ran = once(() => runSteps(esp));
  const succeed = async (step: Step): Promise<string> => {
    const { status, output } = (await ran())(step);
    assert.equal(status, 0, output);
    return output;
  };

  test('are installed by `units`', { skip }, async () => {
    assert.match(await succeed('setUp'), /^wrote .*espalier-watch\.service$/m);
  });

  test('the watcher says that it is ready, and how things stand, in less than 90 MiB', {
    skip,
  }, async () => {
    const output = await succeed('start');
    assert.match(output, /StatusText=nixos-generation-1-.* boots next, .* free/);
    assert.ok(Number(/VmRSS:\s*(\d+) kB/.exec(output)?.[1]) < 90 * 1024, output);
  });

  test('a new generation is on the ESP soon after its profile has it', { skip }, async () => {
    await succeed('follow');
  });

  test('a reload reads the configuration again', { skip }, async () => {
    assert.match(await succeed('reload'), /NRestarts=0/);
  });

  test('a watcher that hangs is killed and started again', { skip }, async () => {
    assert.match(await succeed('hang'), /Watchdog timeout/);
  });

  test('an ESP that is mounted late is seen from inside', { skip }, async () => {
    await succeed('late');
  });

  test('what runs stays on the ESP whatever the limit is: the link to it is a mount inside', {
    skip,
  }, async () => {
    const output = await succeed('late');
    const kept = [...output.matchAll(/nixos-generation-(\d+)-/g)].map(([, number]) => number);
    assert.deepEqual(kept.sort(), ['1', '3']);
  });

  test('a stop in the middle of a write leaves a whole ESP', { skip }, async () => {
    const output = await succeed('stop');
    assert.match(output, /Result=success/);
    assert.match(output, /all is well/);
    assert.doesNotMatch(output, /\.tmp/);
  });

  test('a kill in the middle of a write is healed after the restart', { skip }, async () => {
    assert.match(await succeed('kill'), /\.tmp/);
    assert.match(await succeed('verify'), /all is well/);
  });

  test('an ESP that is unmounted outside is still mounted for the watcher, and nothing is lost', {
    skip,
  }, async () => {
    await succeed('held');
  });

  test('an ESP that turns read-only is told once, and followed when that ends', {
    skip,
  }, async () => {
    const output = await succeed('readOnly');
    assert.deepEqual(output.match(/^(TOLD|OVER)$/gm), ['TOLD', 'OVER']);
  });

  test('an ESP that the kernel made read-only for an error is followed once it may be written to', {
    skip,
  }, async () => {
    assert.match(await succeed('damaged'), /vfat ro,/);
  });

  test('a full ESP is told once, keeps what it has, and gets the rest when there is space', {
    skip,
  }, async () => {
    const output = await succeed('full');
    assert.deepEqual(output.match(/^(TOLD|OVER)$/gm), ['TOLD', 'OVER']);
  });

  test('the hook finds nothing left to do', { skip }, async () => {
    assert.match(await succeed('hook'), /nothing to do/);
  });

  test('the ESP is verified once a week', { skip }, async () => {
    assert.match(await succeed('timer'), /espalier-verify\.timer +espalier-verify\.service/);
  });

  test('a shell in place of the program sees only what is bound for it', { skip }, async () => {
    const output = await succeed('shell');
    const [unit = '', seen = ''] = output.split('\n\n/');
    const bound = [...unit.matchAll(/^Bind(?:ReadOnly)?Paths=(.*)$/gm)]
      .flatMap(([, value = '']) => value.split(' '))
      .map((path) => path.replace(/^-/, '').replace(/^.*:/, ''));
    const own = ['/run/espalier', '/var/cache/espalier', '/var/lib/espalier'];
    const places = [...bound, ...own];
    const isBound = (path: string) =>
      places.some((place) => path === place || path.startsWith(`${place}/`));
    const files = `/${seen}`.split('\n').filter((line) => line.startsWith('/'));
    assert.ok(files.length > 10, output);
    assert.deepEqual(
      files.filter((path) => !isBound(path)),
      [],
    );
    assert.deepEqual(seen.match(/(?<=may write ).*/g), ['/boot/probe', '/run/espalier/probe']);
  });

  test('the file system is sound after all of it', { skip }, async () => {
    await ran();
    run('fsck.vfat', ['-n', esp]);
  });
});
