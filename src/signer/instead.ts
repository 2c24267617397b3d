/** What a file is that should hold a certificate or a private key, and how to come to what is wanted. Pure. */

/** What a file was given as. */
export type KeyFile = 'certificate' | 'private key';

/** What a file is instead: for a message, and for its hint. */
export interface Instead {
  readonly got: string;
  readonly hint: string;
}

type Hint = (path: string) => string;

interface Kind {
  readonly got: string;
  readonly isIt: (text: string, label: string) => boolean;
  readonly hints: Readonly<Record<KeyFile, Hint>>;
}

const ELSEWHERE =
  'the key stays where it is: sign with --signing-command instead of --private-key, as docs/tasks.md shows under “Keep the key elsewhere”';
const both = (hint: Hint) => ({ certificate: hint, 'private key': hint });

/** DER begins with a SEQUENCE; that of PKCS#12 has the version 3 first (RFC 7292 §4). */
const DER = /^0/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: DER is made of them.
const PKCS12 = /^0[\s\S]{1,6}?\x02\x01\x03/;

const KINDS: readonly Kind[] = [
  {
    got: 'an empty file',
    isIt: (text) => text === '',
    hints: both(() => 'copy the file again from where it was made'),
  },
  {
    got: 'PKCS#12, a certificate and a key in one file',
    isIt: (text) => PKCS12.test(text),
    hints: {
      certificate: (path) => `take it out: openssl pkcs12 -in ${path} -nokeys -out certificate.pem`,
      'private key': (path) =>
        `take it out: openssl pkcs12 -in ${path} -nocerts -nodes -out db.key`,
    },
  },
  {
    got: 'a key that only a TPM can use',
    isIt: (_text, label) => label.startsWith('TSS'),
    hints: both(() => ELSEWHERE),
  },
  {
    got: 'a PKCS#7 bundle',
    isIt: (_text, label) => label === 'PKCS7',
    hints: both(
      (path) => `take it out: openssl pkcs7 -print_certs -in ${path} -out certificate.pem`,
    ),
  },
  {
    got: 'a request for a certificate',
    isIt: (_text, label) => label.endsWith('CERTIFICATE REQUEST'),
    hints: both(() => 'give the certificate that was made of it'),
  },
  {
    got: 'a certificate',
    isIt: (_text, label) => label === 'CERTIFICATE',
    hints: both(() => 'it belongs to --certificate: were the two exchanged?'),
  },
  {
    got: 'a private key',
    isIt: (_text, label) => label.endsWith('PRIVATE KEY'),
    hints: both(() => 'it belongs to --private-key: were the two exchanged?'),
  },
  {
    got: 'a public key',
    isIt: (_text, label) => label.endsWith('PUBLIC KEY'),
    hints: both(() => 'give the private key and the certificate that were made with it'),
  },
  {
    got: 'DER',
    isIt: (text) => DER.test(text),
    hints: {
      certificate: (path) =>
        `convert it: openssl x509 -inform DER -in ${path} -out certificate.pem`,
      'private key': (path) => `convert it: openssl pkey -inform DER -in ${path} -out db.key`,
    },
  },
];

/** Names the content of a file by its labels alone, so that a key given by mistake stays out of logs. */
export function insteadOf(what: KeyFile, path: string, text: string): Instead {
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1] ?? '';
  const kind = KINDS.find(({ isIt }) => isIt(text, label));
  if (kind) return { got: kind.got, hint: kind.hints[what](path) };
  const got = label === '' ? 'neither PEM nor DER' : `PEM with a ${label}`;
  return { got, hint: `give the ${what} as openssl writes it in PEM` };
}

/** Says what to do about a key that is named by a URI (RFC 7512), undefined for the path of a file. */
export function uriHint(path: string): string | undefined {
  return /(?:^|\/)pkcs11:/.test(path) ? ELSEWHERE : undefined;
}
