/** What images are made of and called. */
import type { Mutant } from '../mutant.ts';

const UKI = 'test/uki/uki.test.ts';

export const uki: readonly Mutant[] = [
  {
    id: 'uki/signer-not-in-id',
    file: 'src/uki/uki.ts',
    find: '{fingerprint}\\n`);',
    replace: '{0}\\n`);',
    killedBy: { file: UKI, title: /the identity depends on the payload and the signer/ },
    why: 'After a change of keys the images signed with the old key would stay, and firmware refuse them.',
  },
  {
    id: 'uki/stub-in-id',
    file: 'src/uki/uki.ts',
    find: 'findKnown(name)?.derived === false && digest !== NOTHING,',
    replace: 'findKnown(name) !== undefined && digest !== NOTHING,',
    killedBy: { file: UKI, title: /the identity depends on the payload and the signer/ },
    why: 'Every update of systemd would rewrite every image on the ESP.',
  },
  {
    id: 'uki/nx-without-kernel',
    file: 'src/uki/uki.ts',
    find: 'inFileOrder([sbat, ...others]), kernel.nxCompat);',
    replace: 'inFileOrder([sbat, ...others]), true);',
    killedBy: { file: UKI, title: /NX_COMPAT is claimed only with the kernel/ },
    why: 'Firmware would refuse to run an old kernel.',
  },
  {
    id: 'uki/no-osrel',
    file: 'src/uki/uki.ts',
    find: "  requirePresent(sections, '.osrel');\n",
    replace: '',
    killedBy: { file: UKI, title: /unknown, doubled and missing sections are refused by name/ },
    why: 'The boot loader would not list the image.',
  },
  {
    id: 'uki/cmdline-control-characters',
    file: 'src/uki/cmdline.ts',
    find: 'const CONTROL = /[\\u0000-',
    replace: 'const CONTROL = /[\\u0010-',
    killedBy: { file: 'test/uki/cmdline.test.ts', title: /a control character is refused/ },
    why: 'A parameter with a line break would end the command line of an entry.',
  },
  {
    id: 'uki/label-ends-quote',
    file: 'src/uki/os-release.ts',
    find: 'const UNSAFE = /["`\\\\$',
    replace: 'const UNSAFE = /[`\\\\$',
    killedBy: {
      file: 'test/uki/os-release.test.ts',
      title: /no label can add a line, end a quote/,
    },
    why: 'A label could say that an image is of another version, and be sorted first.',
  },
  {
    id: 'uki/sbat-twice',
    file: 'src/uki/sbat.ts',
    find: 'new Set(contents.flatMap(componentLines));',
    replace: 'contents.flatMap(componentLines);',
    killedBy: { file: 'test/uki/sbat.test.ts', title: /merging is idempotent/ },
    why: 'Revocation of an old component would miss an image that names it twice.',
  },
];
