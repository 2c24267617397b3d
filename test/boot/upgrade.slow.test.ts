/** A Debian machine under Secure Boot: apt brings it a newer kernel, a bad one fails, and firmware does as it is told. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import type { GuestRan } from '../lab/guest-commands.ts';
import { hasUpgradeRoot } from '../lab/upgrade-root.ts';
import { noNamespaces } from '../units/a-package-machine.ts';
import { once, whatIsMissing } from './installed.ts';
import { runUpgradeMachine } from './upgrade-machine.ts';

const skip =
  whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'fdisk', 'e2fsprogs']) ||
  noNamespaces() ||
  (!hasUpgradeRoot() && 'SKIPPED, missing parts: node test/lab/fetch.ts');

const VARIABLES = '/sys/firmware/efi/efivars';
/** Does commands while nobody can write a variable. Its status is that of the last one. */
const readOnly = (commands: string): string =>
  `mount -o remount,ro ${VARIABLES}; ${commands}; status=$?; mount -o remount,rw ${VARIABLES}; exit $status`;
const entries = 'ls /boot/efi/EFI/Linux';
const oneShot = `tr -d '\\0' < $(echo ${VARIABLES}/LoaderEntryOneShot-*)`;
const METRICS = '/var/lib/prometheus/node-exporter';
const soon = '[Timer]\\nOnBootSec=\\nOnActiveSec=1\\nRandomizedDelaySec=0\\nAccuracySec=1s\\n';

/** What is done in the machine after each of its starts. */
const STARTS = [
  {
    'no entry, read-only': `sed -i '1i efi-entry = true' /etc/espalier.toml
      ${readOnly('espalier install')}`,
    register: 'espalier firmware register && espalier firmware list && efibootmgr',
    'read-only': readOnly('espalier firmware forget; espalier firmware register'),
    forget: 'espalier firmware forget && efibootmgr',
    upgrade: `apt-get -qq update && apt-get -q -y install $(sed -n 's/^Package: //p' /srv/apt/Packages) && ${entries} && efibootmgr`,
  },
  {
    upgraded: `uname -r; bootctl status; efibootmgr; ${entries}`,
    default: `espalier entry default 1 && bootctl status; ${readOnly('espalier entry default 1; espalier entry next 1')}`,
    // A file that the kernel cannot run is all that there is in the initrd to be run.
    'bad one': `espalier entry default --clear; mkdir -p /etc/tiny-initramfs/hooks.middle
      echo ': > "$initramfs_dir/init"' > /etc/tiny-initramfs/hooks.middle/bad
      update-tirfs -k $(uname -r) && espalier kernel sync && espalier install && ${entries}`,
    next: `espalier entry next 1; ${oneShot}`,
  },
  {
    'next one': `uname -r; ls ${VARIABLES} | grep -c OneShot; ${entries}`,
    once: `espalier install --once $(uname -r); ${oneShot}; espalier entry next --clear`,
  },
  // Between the two, the bad one has its try.
  {
    recovered: `uname -r; bootctl status; ${entries}`,
    list: 'espalier list',
    metrics: `mkdir -p ${METRICS} /run/systemd/system/espalier-metrics.timer.d
      printf '${soon}' > /run/systemd/system/espalier-metrics.timer.d/soon.conf
      systemctl daemon-reload; systemctl start espalier-metrics.timer; n=0
      until test -e ${METRICS}/espalier.prom || [ $((n += 1)) -gt 300 ]; do sleep 0.2; done
      ls -A ${METRICS}; journalctl -o cat -u espalier-metrics; cat ${METRICS}/espalier.prom`,
  },
] as const;

suite('a Debian machine with kernels of packages', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-upgrade-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const run = once(() =>
    runUpgradeMachine(
      folder,
      STARTS.map((start) => Object.values(start)),
    ),
  );
  const names = STARTS.flatMap((start) => Object.keys(start));
  const result = async (name: string): Promise<GuestRan> => {
    const found = (await run()).ran[names.indexOf(name)];
    assert.ok(found !== undefined);
    return found;
  };
  const ends = async (
    name: string,
    status: number,
    ...words: readonly RegExp[]
  ): Promise<string> => {
    const found = await result(name);
    assert.equal(found.status, status, found.output);
    for (const word of words) assert.match(found.output, word);
    return found.output;
  };
  const OURS = /^Boot(\d{4})\* Linux Boot Manager$/m;

  test('says that variables are read-only, and installs all the same', async () => {
    await ends(
      'no entry, read-only',
      5,
      /the files are in place; .*the variables are read-only/,
      /boots next/,
    );
  });

  test('registers its boot loader, which efibootmgr then lists first', async () => {
    const output = await ends('register', 0, /^set Boot\d{4} and BootOrder$/m, OURS);
    const [, number] = OURS.exec(output) ?? [];
    assert.match(output, new RegExp(`^BootOrder: ${number},`, 'm'));
    assert.match(output, /\/boot\/efi\/EFI\/systemd\/systemd-bootx64\.efi/);
  });

  test('writes no equal value, and says why it cannot write another', async () => {
    await ends('read-only', 0, /the variables are read-only[\s\S]*remount,rw/, /^nothing to do$/m);
  });

  test('forgets its boot loader, and an installation with `efi-entry` brings it back', async () => {
    assert.doesNotMatch(await ends('forget', 0, /^removed Boot\d{4}$/m), OURS);
    await ends('upgrade', 0, /starts our boot loader/, OURS);
  });

  test('comes up on the kernel that apt brought, from our entry of firmware', async () => {
    const output = await ends('upgraded', 0, /^6\.12\./, /Secure Boot: enabled/);
    const [, number] = OURS.exec(output) ?? [];
    assert.match(output, new RegExp(`^BootCurrent: ${number}$`, 'm'));
    // systemd-bless-boot took the counter away.
    assert.match(await ends('upgrade', 0), /-generation-2-\w{52}\+1\.efi/);
    assert.match(output, /-generation-2-\w{52}\.efi$/m);
  });

  test('names another default, as bootctl sees it, and does not write it twice', async () => {
    await ends(
      'default',
      1,
      /Default Boot Loader Entry:[\s\S]*generation 1,[\s\S]*nothing to do[\s\S]*read-only/,
    );
  });

  test('starts what `entry next` names, once, whatever the default is', async () => {
    await ends('bad one', 0, /boots next: \w+-generation-3-/);
    await ends('next', 0, /-generation-1-\w{52}\.efi/);
    await ends('next one', 0, /^6\.1\.\S+\n0$/m, /-generation-3-\w{52}\+1\.efi/);
    // Whether it is counted then or not: a pattern.
    await ends('once', 0, /-generation-1-\w{52}\*\.efi/, /is cleared/);
  });

  test('comes up on the good one by itself when a bad one had its try', async () => {
    await ends(
      'recovered',
      0,
      /^6\.12\./,
      /Secure Boot: enabled/,
      /-generation-3-\w{52}\+0-1\.efi/,
    );
    const bad = (await run()).consoles.at(-2) ?? '';
    assert.match(bad, /Kernel panic - not syncing/);
    await ends('list', 0, /^2 .* next, running$/m, /^3 .* bad: no tries left$/m);
  });

  test('tells node_exporter by a timer, in a file that is whole', async () => {
    const output = await ends('metrics', 0);
    assert.match(output, /^espalier\.prom$/m);
    // It sees that the kernels are whole, confined as it is.
    assert.match(output, /^espalier_esp_usable\{esp="\/boot\/efi"\} 1$/m);
    assert.match(output, /^espalier_entries_bad\{.*\} 1$/m);
  });
});
