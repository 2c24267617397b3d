/** The runs that are interrupted, in every way there is: what lay there before, and what is then run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Payload, World } from './world.ts';

/**
 * One run. `prepare` builds the world and its ESP, a plain directory, by running the real program for
 * everything that happened before; `action` is the verb and the settings of the run under test, without
 * those of the ESP itself.
 *
 * So one scenario can run in a guest, with the ESP's files on a FAT image at `/boot` and the world at its
 * own path; on this machine, with {@link World.onDirectory}; and in this process.
 */
export interface Scenario {
  /** In kebab case. */
  readonly name: string;
  /** One line. */
  readonly about: string;
  readonly prepare: (world: World) => void | Promise<void>;
  readonly action: (world: World) => readonly string[];
  /**
   * Returns the bytes that are free on the ESP when the action starts; without it there are enough. On
   * a FAT image a foreign file takes up the rest; elsewhere the Disk port or a small file system tells it.
   */
  readonly free?: (world: World) => number;
  /** Set when another scenario meets the same faults: then it is run where power fails, and not again. */
  readonly isForPowerOnly?: boolean;
}

/** Makes the world of a scenario anew below `root`, an absolute path that does not exist yet. */
export async function makeWorld(
  scenario: Scenario,
  root: string,
  payload: Payload,
): Promise<World> {
  mkdirSync(root, { recursive: true });
  const world = new World(root, payload);
  world.brings('257');
  await scenario.prepare(world);
  return world;
}

const install = (world: World): string[] => ['install', ...world.settings()];

/** Makes and installs one generation after another, and says that the last of them is running. */
function lived(world: World, generations: number, ...settings: readonly string[]): void {
  for (let number = 1; number <= generations; number++) {
    world.generation(number);
    world.boots(number);
    world.run(['install', ...world.settings(...settings)]);
  }
}

const IMAGE = (number: number) =>
  new RegExp(`^EFI/Linux/nixos-generation-${number}-[a-z2-7]+\\.efi$`);
/** The path of the image that the entry of a generation leads to. */
function imageOf(world: World, generation: number): string {
  const path = world.find(new RegExp(`^loader/entries/nixos-generation-${generation}-`));
  return /^linux \/(\S+)$/m.exec(world.read(path))?.[1] ?? '';
}

const SYSTEMD_BOOT = 'EFI/systemd/systemd-bootx64.efi';
const FALLBACK = 'EFI/BOOT/BOOTX64.EFI';
const PREVIOUS = 'EFI/systemd/systemd-boot-fallbackx64.efi';

/** Settings of somebody else: longer than a sector, and with a default of their own. */
const FOREIGN_SETTINGS = [
  '# Made by hand; see the notes of the other system.',
  ...Array.from({ length: 16 }, (_, line) => `# ${'-'.repeat(40)} ${line}`),
  'timeout 0',
  'default arch.conf',
  'editor no',
  '',
].join('\n');

/** Puts a system beside ours that systemd-boot boots as well, and two that it does not. */
function putForeign(world: World): void {
  const { payload } = world;
  world.put(SYSTEMD_BOOT, payload.loader('257'));
  world.put(FALLBACK, payload.loader('257'));
  world.put('EFI/Microsoft/Boot/bootmgfw.efi', payload.loader('252'));
  world.put('EFI/nixos/notes.txt', 'somebody keeps notes here\n');
  world.put('EFI/Linux/readme.efi', 'no image at all\n');
  world.put('vmlinuz-linux', payload.kernel);
  world.put('initramfs-linux.img', payload.initrd('foreign'));
  world.put(
    'loader/entries/arch.conf',
    [
      'title Arch Linux',
      'sort-key arch',
      'linux /vmlinuz-linux',
      'initrd /initramfs-linux.img',
      'options init=/nix/store/foreign-generation-arch/init console=ttyS0 quiet panic=1',
      '',
    ].join('\n'),
  );
  world.put('loader/loader.conf', FOREIGN_SETTINGS);
}

/** Declares extra files, an entry among them, that say which issue of them they are. */
function extras(world: World, issue: string): string[] {
  const files = ['EFI/extra/tool.efi', 'EFI/extra/data.bin'].map((path) => {
    const source = join(world.root, 'sources', issue, path);
    mkdirSync(dirname(source), { recursive: true });
    writeFileSync(source, `${issue} ${path} ${'x'.repeat(5000)}`);
    return `"${path}" = "${source}"`;
  });
  const entry = `"extra.conf" = "title Extra ${issue}\\nefi /EFI/extra/tool.efi\\n"`;
  const config = join(world.root, `${issue}.toml`);
  writeFileSync(config, ['[extra-files]', ...files, '[extra-entries]', entry, ''].join('\n'));
  return ['--config', config];
}

/** Every scenario; the first ones are the plainest. {@link FAULTY} are those of the other tests. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'first-install',
    about: 'the first generation, onto an empty ESP',
    prepare: (world) => world.generation(1),
    action: install,
  },
  {
    name: 'new-generation',
    about: 'one more generation, which becomes the default',
    prepare(world) {
      lived(world, 1);
      world.generation(2);
    },
    action: install,
  },
  {
    name: 'limit-reached',
    about: 'one more generation, and the only other one goes',
    prepare(world) {
      world.generation(1);
      world.run(install(world));
      world.generation(2);
    },
    action: (world) => ['install', ...world.settings('--limit', '1')],
  },
  {
    name: 'loader-upgrade',
    about: 'both copies of an older systemd-boot are replaced',
    prepare(world) {
      world.brings('252');
      lived(world, 1);
      world.brings('257');
    },
    action: install,
  },
  {
    name: 'previous-loader',
    about: 'the loader that runs takes the place of the one before it, and a newer one comes',
    prepare(world) {
      world.brings('254');
      lived(world, 1);
      world.put(PREVIOUS, world.payload.loader('252'));
      world.starts('254');
      world.brings('257');
    },
    action: install,
  },
  {
    name: 'key-rotation',
    about: 'everything is signed by one key, and the settings name another',
    prepare(world) {
      lived(world, 1, ...world.signedBy('old'));
      world.signedBy('new');
    },
    action: (world) => ['install', ...world.settings(...world.signedBy('new'))],
  },
  {
    name: 'free-first',
    about: 'the new generation only fits once an old one is gone',
    prepare(world) {
      lived(world, 2);
      world.generation(3);
    },
    action: (world) => ['install', ...world.settings('--limit', '2')],
    free: (world) => Math.floor(world.sizeOf(world.find(IMAGE(1))) / 2),
  },
  {
    name: 'repair',
    about: 'an initrd is missing, one has a flipped bit, a loader copy is cut short',
    prepare(world) {
      lived(world, 1, '--format', 'type1');
      const first = world.find(/^EFI\/nixos\/initrd-/);
      world.generation(2);
      world.run(['install', ...world.settings('--format', 'type1')]);
      const second = world.files().find((path) => path.includes('/initrd-') && path !== first);
      world.generation(3);
      world.run(['install', ...world.settings('--format', 'type1')]);
      world.remove(first);
      world.flip(second ?? '');
      world.truncate(SYSTEMD_BOOT);
    },
    action: (world) => ['repair', ...world.settings('--format', 'type1')],
  },
  {
    name: 'heal',
    about: 'the default image and a loader copy are cut short, loader.conf is empty',
    prepare(world) {
      lived(world, 2);
      world.truncate(world.find(IMAGE(2)));
      world.truncate(FALLBACK);
      world.put('loader/loader.conf', '');
    },
    action: install,
  },
  {
    name: 'shared-files',
    about: 'of two generations with one kernel and one initrd, one goes',
    prepare(world) {
      world.generation(1);
      world.generation(2, 'shared');
      world.generation(3, 'shared');
      world.boots(3);
      world.run(['install', ...world.settings('--format', 'type1')]);
      world.generation(4);
    },
    action: (world) => ['install', ...world.settings('--format', 'type1', '--limit', '2')],
  },
  {
    name: 'shared-image',
    about:
      'one more generation joins an image, one leaves, another image is damaged; the running one stays',
    prepare(world) {
      world.generation(1, 'one');
      world.generation(2, 'one');
      world.boots(2);
      world.run(['install', ...world.settings('--format', 'shared')]);
      for (const number of [3, 4]) {
        world.generation(number, 'one');
        world.run(['install', ...world.settings('--format', 'shared')]);
      }
      world.generation(5, 'another');
      world.run(['install', ...world.settings('--format', 'shared')]);
      world.truncate(imageOf(world, 5));
      world.generation(6, 'one');
    },
    action: (world) => ['install', ...world.settings('--format', 'shared', '--limit', '5')],
  },
  {
    name: 'shared-rotation',
    isForPowerOnly: true,
    about: 'entries that share an image are signed by one key, and the settings name another',
    prepare(world) {
      const old = world.signedBy('old');
      world.generation(1, 'one');
      world.generation(2, 'one');
      world.boots(2);
      world.run(['install', ...world.settings('--format', 'shared', ...old)]);
      world.signedBy('new');
    },
    action: (world) => [
      'install',
      ...world.settings('--format', 'shared', ...world.signedBy('new')),
    ],
  },
  {
    name: 'foreign-settings',
    about: 'beside another system, whose loader.conf is longer than a sector',
    prepare(world) {
      putForeign(world);
      world.generation(1);
    },
    action: install,
  },
  {
    name: 'boot-counting',
    about: 'one more generation gets three tries; the one before it had them, and came up',
    prepare(world) {
      lived(world, 1);
      world.generation(2);
      world.run(['install', ...world.settings('--boot-counting', '3')]);
      const tried = world.find(/-generation-2-[a-z2-7]+\+3\.efi$/);
      world.rename(tried, tried.replace('+3', ''));
      world.boots(2);
      world.generation(3);
    },
    action: (world) => ['install', ...world.settings('--boot-counting', '3')],
  },
  {
    name: 'extra-files',
    about: 'extra files and an extra entry are replaced, beside a new generation',
    prepare(world) {
      lived(world, 1, ...extras(world, 'first'));
      world.generation(2);
      extras(world, 'second');
    },
    action: (world) => ['install', ...world.settings(...extras(world, 'second'))],
  },
  {
    name: 'interrupted-twice',
    about: 'a killed run left the beginning of an image under a temporary name',
    async prepare(world) {
      lived(world, 1);
      world.generation(2);
      await world.runUntilKilled(install(world), 3);
    },
    action: install,
  },
];

/** The scenarios in which something else than power fails. */
export const FAULTY = SCENARIOS.filter(({ isForPowerOnly }) => !isForPowerOnly);
