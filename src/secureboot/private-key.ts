/** Private keys where everyone would read them. */

const PRIVATE = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;

/** Tells whether a text has a private key in PEM in it. */
export function hasPrivateKey(text: string): boolean {
  return PRIVATE.test(text);
}
