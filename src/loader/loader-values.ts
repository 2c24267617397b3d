/** Values that systemd-boot takes for the keys of loader.conf (loader.conf(5)). It passes over any other. Pure. */

interface Kind {
  readonly shape: RegExp;
  readonly expected: string;
}

/** It compares letter by letter: `Yes` is none of them. */
const TRUTHS = ['1', 'y', 'yes', 't', 'true', 'on', '0', 'n', 'no', 'f', 'false', 'off'];
const oneOf = (...words: readonly string[]): Kind => ({
  shape: new RegExp(`^(?:${words.join('|')})$`),
  expected: words.join(', '),
});
const TRUTH: Kind = { ...oneOf(...TRUTHS), expected: 'yes or no' };
const SECONDS = '\\d{1,10}';

/** By key; a key that is not here takes any text. */
const KINDS: Readonly<Record<string, Kind>> = {
  timeout: {
    ...oneOf(SECONDS, 'menu-force', 'menu-hidden', 'menu-disabled'),
    expected: 'seconds, menu-force, menu-hidden or menu-disabled',
  },
  'console-mode': {
    ...oneOf('\\d{1,10}', 'auto', 'max', 'keep'),
    expected: 'a number, auto, max or keep',
  },
  'secure-boot-enroll': oneOf('off', 'manual', 'if-safe', 'force'),
  'secure-boot-enroll-action': oneOf('reboot', 'shutdown'),
  'secure-boot-enroll-timeout-sec': { ...oneOf(SECONDS, 'hidden'), expected: 'seconds or hidden' },
  'reboot-on-error': { ...oneOf(...TRUTHS, 'auto'), expected: 'yes, no or auto' },
  ...Object.fromEntries(
    [
      ...['editor', 'auto-entries', 'auto-firmware', 'auto-poweroff', 'auto-reboot'],
      ...['beep', 'reboot-for-bitlocker'],
    ].map((key) => [key, TRUTH]),
  ),
};

/** Says what the loader takes for a key, when a value is none of it: without its timeout, there is no menu. */
export function valueFault(key: string, value: string | number | boolean): string | undefined {
  const kind = Object.hasOwn(KINDS, key) ? KINDS[key] : undefined;
  return kind === undefined || kind.shape.test(String(value))
    ? undefined
    : `expected ${kind.expected}`;
}
