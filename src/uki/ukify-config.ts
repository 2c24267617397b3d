/** The keys of ukify's configuration file: the option of each, or why it is refused. */
import { EspError } from '../error.ts';
import { type Assignment, parseIni } from './ini.ts';

/** Options of `ukify build` by flag. A flag that may repeat has a list. */
export type UkifyOptions = Readonly<
  Record<string, string | boolean | readonly (string | undefined)[]>
>;

/** What a key means for an image that this program builds. */
type Meaning =
  /**
   * The equal flag. `words`: several words divided by white space; `more`: one of several values;
   * `key`: the value of one key for policies.
   */
  | { readonly flag: string; readonly as: 'text' | 'words' | 'more' | 'switch' | 'key' }
  /** The key does not change what is built. */
  | { readonly idle: true }
  /** The key is refused, except with a value that matches `unless`, which requests nothing. */
  | { readonly refused: string; readonly unless?: RegExp };

const text = (flag: string): Meaning => ({ flag, as: 'text' });
const refused = (because: string, unless?: RegExp): Meaning => ({
  refused: because,
  ...(unless ? { unless } : {}),
});

const NO_NSS = 'keys in an NSS database (pesign) are not used here';
const NO_OPENSSL = 'keys are read from PEM files, not through OpenSSL';
const FALSE = /^(0|false|no|n|f|off)$/i;
const TRUE = /^(1|true|yes|y|t|on)$/i;

/** ukify(1) §[UKI] section, as of systemd 262. */
const imageKeys: Readonly<Record<string, Meaning>> = {
  Linux: text('linux'),
  Initrd: { flag: 'initrd', as: 'words' },
  Microcode: text('microcode'),
  OSRelease: text('os-release'),
  Cmdline: text('cmdline'),
  Splash: text('splash'),
  DeviceTree: text('devicetree'),
  DeviceTreeAuto: { flag: 'devicetree-auto', as: 'words' },
  Uname: text('uname'),
  SBAT: { flag: 'sbat', as: 'more' },
  PCRPKey: text('pcrpkey'),
  Profile: text('profile'),
  EFIArch: text('efi-arch'),
  Stub: text('stub'),
  SecureBootPrivateKey: text('secureboot-private-key'),
  SecureBootCertificate: text('secureboot-certificate'),
  SignKernel: { flag: 'sign-kernel', as: 'switch' },
  SecureBootSigningTool: refused(NO_NSS, /^(systemd-)?sbsign$/),
  SecureBootCertificateDir: { idle: true },
  SecureBootCertificateName: refused(NO_NSS),
  SecureBootCertificateValidity: { idle: true },
  SecureBootCertificateCommonName: { idle: true },
  SigningEngine: refused(NO_OPENSSL),
  SigningProvider: refused(NO_OPENSSL),
  CertificateProvider: refused(NO_OPENSSL),
  PCRBanks: text('pcr-banks'),
  PCRSig: text('pcrsig'),
  SignInitrdPCRs: { flag: 'sign-initrd-pcrs', as: 'switch' },
  HWIDs: refused('give the finished section instead, with --section .hwids:@FILE', /^$/),
  Firmware: refused('no systemd-stub reads the .efifw sections that ukify makes of it'),
};

/** ukify(1) §[PCRSignature:NAME] section: one value for the key of the section. */
const signatureKeys: Readonly<Record<string, Meaning>> = {
  PCRPrivateKey: { flag: 'pcr-private-key', as: 'key' },
  PCRPublicKey: { flag: 'pcr-public-key', as: 'key' },
  PCRCertificate: { flag: 'pcr-certificate', as: 'key' },
  Phases: { flag: 'phases', as: 'key' },
  PolicyRef: { flag: 'policyref', as: 'key' },
};

/**
 * Reads ukify's configuration file.
 * @param name what messages call the file
 * @throws {CONFIG_INVALID} naming a key that is unknown, or requests something unsupported
 */
export function parseUkifyConfig(source: string, name: string): UkifyOptions {
  const options: Record<string, string | boolean | readonly (string | undefined)[]> = {};
  const keys: string[] = [];
  for (const assignment of parseIni(source, name)) {
    const where = `${name}:${assignment.line}: [${assignment.section}] ${assignment.key}=`;
    const meaning = meaningOf(assignment);
    if (meaning === undefined) throw mistaken(`${where}: there is no such key`);
    const { value } = assignment;
    if ('refused' in meaning) {
      if (meaning.unless?.test(value) !== true) throw mistaken(`${where}: ${meaning.refused}`);
    } else if ('flag' in meaning) {
      const { flag, as } = meaning;
      options[flag] =
        as === 'key'
          ? placed(options[flag], value, numberOf(assignment.section, keys))
          : readAs(as, value, where);
    }
  }
  return options;
}

/** Returns the number of a key's section, in the order in which sections appear. */
function numberOf(section: string, keys: string[]): number {
  if (!keys.includes(section)) keys.push(section);
  return keys.indexOf(section);
}

/** Puts a value at its key's place in a list; keys before it that have none leave gaps. */
function placed(list: UkifyOptions[string] | undefined, value: string, place: number) {
  const before = Array.isArray(list) ? list : [];
  return Array.from({ length: Math.max(before.length, place + 1) }, (_, index) =>
    index === place ? value : before[index],
  );
}

function meaningOf({ section, key }: Assignment): Meaning | undefined {
  const keys = section === 'UKI' ? imageKeys : signatureKeys;
  const isKnown = section === 'UKI' || /^PCRSignature:[^:]+$/.test(section);
  return isKnown && Object.hasOwn(keys, key) ? keys[key] : undefined;
}

function readAs(
  as: Exclude<Extract<Meaning, { as: unknown }>['as'], 'key'>,
  value: string,
  where: string,
): string | boolean | readonly string[] {
  switch (as) {
    case 'text':
      return value;
    case 'words':
      return value.split(/\s+/).filter((word) => word !== '');
    case 'more':
      return [value];
    case 'switch':
      if (TRUE.test(value)) return true;
      if (FALSE.test(value)) return false;
      throw mistaken(`${where}: expected yes or no, got ${JSON.stringify(value.slice(0, 64))}`);
  }
}

function mistaken(message: string): EspError {
  return new EspError('CONFIG_INVALID', message, {
    hint: 'correct the file that --config names; see espalier uki build --help',
  });
}
