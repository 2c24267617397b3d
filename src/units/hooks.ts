/**
 * The hooks by which package managers tell of kernels: each of them hands what it is told to one program,
 * which keeps the kernel and installs it.
 */

/** What differs from machine to machine. All paths are absolute. */
export interface HookInstallation {
  readonly node: string;
  /** The program's own file. */
  readonly program: string;
  /** The configuration file, when it is not the usual one. */
  readonly config?: string;
  /** Where installed kernels are kept. */
  readonly stateDirectory: string;
  /** The directory of the program that every hook calls. */
  readonly library: string;
  /** The directory of the configuration of the machine: `/etc`. */
  readonly etc: string;
}

/** A file, and the programs for which it is: a machine that has none of them has no use for it. */
export interface HookFile {
  readonly path: string;
  readonly text: string;
  readonly isProgram: boolean;
  readonly tools: readonly string[];
}

const HEADER = '# Written by `espalier units`.';

/** Returns the hooks of every package manager. */
export function hookFiles(installation: HookInstallation): readonly HookFile[] {
  const { etc, library } = installation;
  const hook = `${library}/kernel-hook`;
  // A package that was removed leaves its hooks, which are configuration, and not what they call.
  const call = quote(hook);
  const isThere = `[ -x ${call} ] || exit 0\n`;
  const program = (path: string, text: string, ...tools: readonly string[]): HookFile => ({
    path,
    text: `#!/bin/sh\n${HEADER}\n${text}`,
    isProgram: true,
    tools,
  });
  return [
    program(hook, kernelHook(installation), '/bin/sh'),
    program(
      `${etc}/kernel/install.d/90-espalier.install`,
      isThere + plugin(call),
      '/usr/bin/kernel-install',
    ),
    program(`${etc}/kernel/postinst.d/zz-espalier`, isThere + postinst(call), '/usr/bin/dpkg'),
    program(`${etc}/kernel/postrm.d/zz-espalier`, isThere + postrm(call), '/usr/bin/dpkg'),
    program(
      `${etc}/initramfs/post-update.d/zz-espalier`,
      isThere + postUpdate(call),
      '/usr/bin/dpkg',
      '/usr/bin/dracut',
    ),
    {
      path: `${etc}/pacman.d/hooks/95-espalier.hook`,
      text: `${HEADER}\n${pacman(hook)}`,
      isProgram: false,
      tools: ['/usr/bin/pacman'],
    },
  ];
}

/** Returns a word as the shell takes it. */
function quote(word: string): string {
  return /^[\w@%./+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A failure of ours fails the package only where our menu would lack its kernel. */
function kernelHook({ node, program, config, stateDirectory }: HookInstallation): string {
  const settings = config === undefined ? '' : ` --config ${quote(config)}`;
  // An executable with Node inside is both.
  const words = [...new Set([node, program])].map(quote).join(' ');
  return `# usage: kernel-hook add VERSION [IMAGE [INITRD...]] | remove VERSION | sync

# Status 5 is done with warnings: the machine boots, and what needs a look was told.
espalier() {
  ${words} "$@"${settings} || [ $? -eq 5 ]
}

# Whoever wants this says so by \`espalier kernel sync\`. Until then it does nothing.
[ -d ${quote(`${stateDirectory}/kernels`)} ] || exit 0

espalier kernel "$@" && espalier install && exit 0

case $1 in
  remove)
    echo "espalier: the entries of Linux $2 are still there; \\\`espalier install\\\` removes them" >&2
    exit 0
    ;;
  add)
    # No package is left half-configured where an entry that was there before boots this kernel still, and
    # where no entry is ours: another boot loader starts that machine.
    entries=$(espalier list --json) || exit 1
    case $entries in
      *"\\"$2, generation "*)
        echo "espalier: Linux $2 boots by the entry that it had; \\\`espalier install\\\` tries again" >&2
        exit 0
        ;;
      *'"own": true'*) ;;
      *)
        echo "espalier: none of its entries is on the ESP; \\\`espalier install\\\` tries again" >&2
        exit 0
        ;;
    esac
    ;;
esac
exit 1
`;
}

/** kernel-install(8): microcode comes first, and what was made for this kernel comes last. */
function plugin(hook: string): string {
  return `# usage: 90-espalier.install add VERSION ENTRY_DIR IMAGE [INITRD...] | remove VERSION ENTRY_DIR

# It acts where no other plugin writes entries: with \`layout=espalier\` in /etc/kernel/install.conf, or where
# that one is masked, because mkinitcpio's plugin makes no initrd for a layout that it does not know.
[ "\${KERNEL_INSTALL_LAYOUT-}" = espalier ] ||
  [ "$(readlink /etc/kernel/install.d/90-loaderentry.install)" = /dev/null ] || exit 0

case $1 in
  add)
    version=$2 image=$4 staging=\${KERNEL_INSTALL_STAGING_AREA-}
    shift 4
    set -- "$staging"/microcode* "$@" "$staging"/initrd*
    # What matched nothing is no file.
    for file do
      shift
      if [ -f "$file" ]; then set -- "$@" "$file"; fi
    done
    exec ${hook} add "$version" "$image" "$@"
    ;;
  remove)
    exec ${hook} remove "$2"
    ;;
esac
exit 0
`;
}

/** Packages of kernels say what dpkg told them in DEB_MAINT_PARAMS, some with quotes. */
function postinst(hook: string): string {
  return `# usage: zz-espalier VERSION IMAGE

case \${DEB_MAINT_PARAMS:-configure} in
  configure* | "'configure'"*) exec ${hook} add "$@" ;;
esac
exit 0
`;
}

function postrm(hook: string): string {
  return `# usage: zz-espalier VERSION IMAGE

# An upgrade brings the same kernel anew: what goes with it is seen when that is there.
case \${DEB_MAINT_PARAMS:-remove} in
  remove* | purge* | "'remove'"* | "'purge'"*) exec ${hook} remove "$1" ;;
esac
exit 0
`;
}

function postUpdate(hook: string): string {
  return `# usage: zz-espalier VERSION INITRD

# An initrd that is made before its kernel is there is taken along when that comes.
[ -e "/boot/vmlinuz-$1" ] || [ -e "/usr/lib/modules/$1/vmlinuz" ] || exit 0
exec ${hook} add "$1"
`;
}

/** alpm-hooks(5): mkinitcpio’s own hook has the number 90. */
function pacman(hook: string): string {
  return `[Trigger]
Type = Path
Operation = Install
Operation = Upgrade
Operation = Remove
Target = usr/lib/modules/*/vmlinuz
Target = usr/lib/initcpio/*
Target = usr/lib/dracut/*
Target = boot/*-ucode.img

[Action]
Description = Keeping installed kernels as generations...
When = PostTransaction
Exec = ${hook} sync
`;
}
