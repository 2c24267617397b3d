/**
 * Our package on Debian 12, 13 and sid: the commands of the documentation, real kernels that come, have
 * their initrds made anew and go, and our own upgrade and end.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { debianPackage } from '../../tools/debian-package.ts';
import { executable } from '../../tools/executable.ts';
import { once } from '../boot/installed.ts';
import { ROOT, readPage } from '../docs/markdown.ts';
import { DEBIAN_SUITES, type DebianRoot, findDebianRoot } from '../lab/debian-root.ts';
import { attempt } from '../lab/run.ts';
import { noNamespaces } from './a-package-machine.ts';

const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const NEXT = `${VERSION}.1`;
const packageOf = (version: string) => `./dist/espalier_${version}_amd64.deb`;

/** What a person types who has built the package, and then who has it. */
const [, FETCHED = ''] = /`(apt install [^`]+)`/.exec(readPage('README.md').text) ?? [];
const TYPED = typed('docs/tasks.md');

function typed(page: string): string {
  const [, section = ''] = readPage(page).text.split(/^##+ .*Debian, Fedora or Arch$/m);
  return /^```\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? '';
}

/** Debian in namespaces of its own: nothing of it outlives the script, and nobody has to be root. */
const INSIDE = `set -e
root=$1 packages=$2; shift 2
mount -t tmpfs upper /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work,userxattr" root /mnt/root
cd /mnt/root
mkdir -p boot/efi dist
mount --bind "$packages" dist
mount --rbind /proc proc
mount --rbind /dev dev
# A directory stands for the ESP: in a namespace nobody mounts a FAT.
printf 'esp = ["/boot/efi"]\\nallow-directory = true\\n' >etc/espalier.toml
echo 0123456789abcdef0123456789abcdef >etc/machine-id
echo 'BOOT_IMAGE=/boot/vmlinuz-of-grub root=/dev/vda2 ro quiet' >/mnt/cmdline
mount --bind /mnt/cmdline proc/cmdline
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec chroot . /bin/sh -c "$@"
`;

/** The arguments are the releases of the kernels, the oldest first. */
const LIFE = (generator: string) => `set -e
tell() {
  number=$(sed -n 's/^default .*-generation-\\([0-9]*\\)-.*/\\1/p' /boot/efi/loader/loader.conf)
  release=$(readlink "/var/lib/espalier/kernels/system-$number-link" | sed 's/.*-linux-/ of /') || true
  echo "@@ $1: $(ls /boot/efi/EFI/Linux | wc -l) entries, $number next$release"
}
kernel() { dpkg -i /packages/kernels/"$1"/*.deb; }
oldest=$1
for newest; do :; done

kernel "$oldest"
${FETCHED}
find / -xdev -path '*.wants/*espalier*' | sed 's/^/@@ enabled: /'
${TYPED}
tell typed
grep -aoh 'root=/dev/vda2 ro quiet systemd.machine_id=[0-9a-f]*' /boot/efi/EFI/Linux/* | sed 's/^/@@ /'
dpkg -i ${generator}
tell 'initrd made anew'
kernel "$newest"
tell upgraded
espalier verify --deep | sed 's/^/@@ /'
espalier plan | sed -n '1s/\\([^;]*\\).*/@@ \\1/p'

dpkg -i ${packageOf(NEXT)}
dpkg-query -W espalier | sed 's/^/@@ /'
test -e /var/cache/espalier/digests.json
while [ "$1" != "$newest" ]; do dpkg -r "linux-image-$1"; tell 'older one removed'; shift; done
dpkg -r "linux-image-$newest"
tell removed
ls /var/lib/espalier/systems | wc -l | sed 's/^/@@ systems left: /'

dpkg -L espalier | grep espalier >/tmp/files
test "$(wc -l </tmp/files)" -gt 40
dpkg -r espalier
# Its hooks are configuration and still there, and fail no package.
test -e /etc/kernel/postrm.d/zz-espalier
dpkg -P "linux-image-$newest"
dpkg -P espalier | sed -n 's/^espalier: /@@ /p'
for file in $(cat /tmp/files) /var/cache/espalier; do test ! -e "$file" || echo "@@ left: $file"; done
tell purged
sed 's/^/@@ /' /etc/espalier.toml
`;

suite('our package and packages of kernels', { skip: noNamespaces() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-debian-'));
  after(() => rmSync(folder, { recursive: true }));
  const packages = once(async () => {
    const program = await executable('x64', join(folder, 'espalier'));
    mkdirSync(join(folder, 'dist'));
    for (const version of [VERSION, NEXT]) {
      const output = join(folder, packageOf(version));
      await debianPackage({ architecture: 'x64', program, version, output, compression: 'none' });
    }
    return join(folder, 'dist');
  });

  for (const name of DEBIAN_SUITES) {
    const debian = findDebianRoot(name);
    const skip = debian === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts';
    test(`live together on ${name}`, { skip }, async () => {
      assert.ok(debian);
      const script = LIFE(debian.generator);
      const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', INSIDE, 'sh'];
      const given = [debian.root, await packages(), script, 'sh', ...debian.releases];
      const { status, stdout, stderr } = attempt('unshare', [...words, ...given]);
      assert.equal(status, 0, `${stdout}\n${stderr}`);
      const told = stdout.split('\n').flatMap((line) => /^@@ (.*)/.exec(line)?.[1] ?? []);
      assert.deepEqual(told, expected(debian));
    });
  }

  test('are told of by the same commands in both documents', () => {
    assert.equal(typed('README.md'), TYPED);
    assert.ok(readPage('docs/tasks.md').text.includes(`\`${FETCHED}\``));
  });
});

function expected({ releases }: DebianRoot): readonly string[] {
  const [oldest, newest = oldest] = releases;
  // With one kernel, its third initrd takes the place of the first.
  const hasTwo = releases.length > 1;
  return [
    `typed: 1 entries, 1 next of ${oldest}`,
    'root=/dev/vda2 ro quiet systemd.machine_id=0123456789abcdef0123456789abcdef',
    `initrd made anew: 2 entries, 2 next of ${oldest}`,
    `upgraded: ${hasTwo ? 3 : 2} entries, 3 next of ${newest}`,
    '/boot/efi: all is well',
    '/boot/efi: nothing to do',
    `espalier\t${NEXT}`,
    ...(hasTwo ? [`older one removed: 1 entries, 3 next of ${newest}`] : []),
    // Without any kernel nothing is removed from the ESP.
    `removed: ${hasTwo ? 1 : 2} entries, 3 next`,
    'systems left: 0',
    '/var/lib/espalier, with kernels and pins, is left',
    `purged: ${hasTwo ? 1 : 2} entries, 3 next`,
    'esp = ["/boot/efi"]',
    'allow-directory = true',
    'allow-unsigned = true',
  ];
}
