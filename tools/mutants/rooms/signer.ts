/** Whom a signature is from, and who may read a key. */
import type { Mutant } from '../mutant.ts';

const CMS = 'test/signer/cms.test.ts';
const SAFETY = 'test/signer/key-safety.test.ts';

export const signer: readonly Mutant[] = [
  {
    id: 'signer/signature-not-verified',
    file: 'src/signer/cms-verification.ts',
    find: "['the signature does not verify', (data, _digest, certificate) => isSigned(data, certificate)],",
    replace: '',
    killedBy: { file: CMS, title: /a signature by another key is refused/ },
    why: 'Anybody’s signature under our name would pass as ours, and firmware would refuse the image.',
  },
  {
    id: 'signer/image-digest-not-compared',
    file: 'src/signer/cms-verification.ts',
    find: "['it is of another image', (data, imageDigest) => sameBytes(digestIn(data.content), imageDigest)],",
    replace: '',
    killedBy: { file: CMS, title: /a signature is not valid for another image/ },
    why: 'A signature copied from another image would pass.',
  },
  {
    id: 'signer/attributes-not-bound',
    file: 'src/signer/cms-verification.ts',
    find: 'octets(sha256(data.content.content))),',
    replace: 'attributeValue(data, MESSAGE_DIGEST)?.whole),',
    killedBy: { file: CMS, title: /what an attacker rewrites around an old signature is noticed/ },
    why: 'Other content could be put below an old signature.',
  },
  {
    id: 'signer/certificate-not-carried',
    file: 'src/signer/cms-verification.ts',
    find: 'data.certificates.some(({ whole }) => sameBytes(whole, certificate)),',
    replace: 'data.certificates.length > 0 || certificate.length > 0,',
    killedBy: { file: CMS, title: /carries another certificate of the same name is refused/ },
    why: 'After a change of keys under the same name old images would count as signed by the new key.',
  },
  {
    id: 'signer/issuer-not-compared',
    file: 'src/signer/cms-verification.ts',
    find: 'sameBytes(data.issuer, name?.issuer) && sameBytes(data.serialNumber, name?.serialNumber)',
    replace: 'name !== undefined && data.issuer.length > 0',
    killedBy: { file: CMS, title: /a signature is not valid for a certificate of another name/ },
    why: 'The reason that a person is told would be wrong, and a renamed certificate would pass.',
  },
  {
    id: 'signer/several-signers',
    file: 'src/signer/cms-verification.ts',
    find: 'if (signers.length !== 1) return',
    replace: 'if (signers.length < 1) return',
    killedBy: { file: CMS, title: /a signature of two signers is refused/ },
    why: 'Firmware judges such a signature by another signer than we do.',
  },
  {
    id: 'signer/bytes-behind-padding',
    file: 'src/signer/der.ts',
    find: 'padding.length < 8 && padding.every((byte) => byte === 0)',
    replace: 'padding.length < 8',
    killedBy: { file: CMS, title: /bytes behind the signature other than padding are refused/ },
    why: 'Bytes that nobody signed could hide in the certificate table.',
  },
  {
    id: 'signer/long-form-lengths',
    file: 'src/signer/der.ts',
    find: 'if (!shortest) return undefined;',
    replace: '',
    killedBy: {
      file: 'test/signer/der.test.ts',
      title: /a length longer than it needs to be is not DER/,
    },
    why: 'One signature would have several encodings, and firmware refuses all but one.',
  },
  {
    id: 'signer/children-need-not-fill',
    file: 'src/signer/der.ts',
    find: 'if (child === undefined) return undefined;',
    replace: 'if (child === undefined) break;',
    killedBy: {
      file: 'test/signer/der.test.ts',
      title: /a child that is cut short is not DER/,
    },
    why: 'Bytes behind the last child could be changed under a signature.',
  },
  {
    id: 'signer/key-read-by-group',
    file: 'src/signer/key-safety.ts',
    find: 'const OTHERS_MAY_USE = 0o077;',
    replace: 'const OTHERS_MAY_USE = 0o007;',
    killedBy: { file: SAFETY, title: /a key that its group can read is insecure/ },
    why: 'Every member of a group could sign what this machine boots.',
  },
  {
    id: 'signer/key-directory-writable',
    file: 'src/signer/key-safety.ts',
    find: '(stat.mode & OTHERS_MAY_WRITE) !== 0 &&',
    replace: '(stat.mode & OTHERS_MAY_WRITE) === OTHERS_MAY_WRITE &&',
    killedBy: { file: SAFETY, title: /a key in a directory that a group can write is insecure/ },
    why: 'Others could put their own key in the place of ours.',
  },
  {
    id: 'signer/key-owner',
    file: 'src/signer/key-safety.ts',
    find: 'stat.uid !== 0 && stat.uid !== uid,',
    replace: 'false && stat.uid !== uid,',
    killedBy: { file: SAFETY, title: /a key of somebody else is insecure/ },
    why: 'A user who owns the file could read or replace the key.',
  },
  {
    id: 'signer/key-does-not-fit',
    file: 'src/signer/pem.ts',
    find: 'if (!chain.certificate.checkPrivateKey(privateKey)) {',
    replace: 'if (chain.certificate.checkPrivateKey(privateKey) === undefined) {',
    killedBy: { file: 'test/signer/pem.test.ts', title: /a key of another certificate is refused/ },
    why: 'Every image would be signed with a key that firmware does not know.',
  },
];
