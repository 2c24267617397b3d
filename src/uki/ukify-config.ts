/** The keys of ukify's configuration file: the option of each, or why it is refused. */
import { EspError } from '../error.ts';
import { type Assignment, parseIni } from './ini.ts';

/** Options of `ukify build` by flag. A flag that may repeat has a list. */
export type UkifyOptions = Readonly<Record<string, string | boolean | readonly string[]>>;

/** What a key means for an image that this program builds. */
type Meaning =
  /**
   * The equal flag. `words`: several words divided by white space; `more`: one of several values.
   */
  | { readonly flag: string; readonly as: 'text' | 'words' | 'more' | 'switch' }
  /** The key does not change what is built. */
  | { readonly idle: true }
  /** The key is refused, except with a value that matches `unless`, which requests nothing. */
  | { readonly refused: string; readonly unless?: RegExp };

const text = (flag: string): Meaning => ({ flag, as: 'text' });
const refused = (because: string, unless?: RegExp): Meaning => ({
  refused: because,
  ...(unless ? { unless } : {}),
});

const NO_PCR_SIGNATURES = 'signatures of PCR values are not made here';
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
  PCRBanks: { idle: true },
  PCRSig: refused(NO_PCR_SIGNATURES),
  SignInitrdPCRs: refused(NO_PCR_SIGNATURES, FALSE),
  HWIDs: refused('give the finished section instead, with --section .hwids:@FILE', /^$/),
  Firmware: refused('no systemd-stub reads the .efifw sections that ukify makes of it'),
};

/** ukify(1) §[PCRSignature:NAME] section. */
const signatureKeys: Readonly<Record<string, Meaning>> = {
  PCRPrivateKey: refused(NO_PCR_SIGNATURES),
  PCRPublicKey: refused(`${NO_PCR_SIGNATURES}; PCRPKey= puts a public key into the image`),
  PCRCertificate: refused(NO_PCR_SIGNATURES),
  Phases: refused(NO_PCR_SIGNATURES),
  PolicyRef: refused(NO_PCR_SIGNATURES),
};

/**
 * Reads ukify's configuration file.
 * @param name what messages call the file
 * @throws {CONFIG_INVALID} naming a key that is unknown, or requests something unsupported
 */
export function parseUkifyConfig(source: string, name: string): UkifyOptions {
  const options: Record<string, string | boolean | readonly string[]> = {};
  for (const assignment of parseIni(source, name)) {
    const where = `${name}:${assignment.line}: [${assignment.section}] ${assignment.key}=`;
    const meaning = meaningOf(assignment);
    if (meaning === undefined) throw mistaken(`${where}: there is no such key`);
    const { value } = assignment;
    if ('refused' in meaning) {
      if (meaning.unless?.test(value) !== true) throw mistaken(`${where}: ${meaning.refused}`);
    } else if ('flag' in meaning) {
      options[meaning.flag] = readAs(meaning.as, value, where);
    }
  }
  return options;
}

function meaningOf({ section, key }: Assignment): Meaning | undefined {
  const keys = section === 'UKI' ? imageKeys : signatureKeys;
  const isKnown = section === 'UKI' || /^PCRSignature:[^:]+$/.test(section);
  return isKnown && Object.hasOwn(keys, key) ? keys[key] : undefined;
}

function readAs(
  as: 'text' | 'words' | 'more' | 'switch',
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
