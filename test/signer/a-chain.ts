/** A root, an authority below it and a signer below that, as an organisation's keys are. Needs openssl. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lab/run.ts';

/** Paths of PEM files. */
export interface Chain {
  readonly root: string;
  readonly authority: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** The signer's certificate, and the authority's behind it. */
  readonly bundle: string;
}

/** Makes the keys and certificates of a chain in a folder. */
export function makeChain(folder: string): Chain {
  const path = (name: string) => join(folder, `chain-${name}`);
  const key = (name: string) => {
    run('openssl', ['genrsa', '-out', path(`${name}.key`), '2048']);
    chmodSync(path(`${name}.key`), 0o600);
  };
  for (const name of ['root', 'authority', 'leaf']) key(name);
  run('openssl', [
    ...['req', '-new', '-x509', '-days', '3650', '-subj', '/CN=Chain root'],
    ...['-key', path('root.key'), '-out', path('root.pem')],
  ]);
  issue('authority', 'root', 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n');
  issue('leaf', 'authority', 'basicConstraints=CA:FALSE\nextendedKeyUsage=codeSigning\n');
  const bundle =
    readFileSync(path('leaf.pem'), 'utf8') + readFileSync(path('authority.pem'), 'utf8');
  writeFileSync(path('bundle.pem'), bundle);
  return {
    root: path('root.pem'),
    authority: path('authority.pem'),
    certificate: path('leaf.pem'),
    privateKey: path('leaf.key'),
    bundle: path('bundle.pem'),
  };

  function issue(name: string, issuer: string, extensions: string): void {
    writeFileSync(path(`${name}.ext`), extensions);
    const subject = ['-subj', `/CN=Chain ${name}`, '-out', path(`${name}.csr`)];
    run('openssl', ['req', '-new', '-key', path(`${name}.key`), ...subject]);
    run('openssl', [
      ...['x509', '-req', '-days', '3650', '-in', path(`${name}.csr`), '-out', path(`${name}.pem`)],
      ...['-CA', path(`${issuer}.pem`), '-CAkey', path(`${issuer}.key`)],
      ...['-extfile', path(`${name}.ext`)],
    ]);
  }
}
