/** Text as hostile as text can be: control characters, NUL, halves of surrogate pairs. */
import fc from 'fast-check';

/** Returns an arbitrary of text of up to `maxLength` UTF-16 units, half of it ASCII. */
export function anyText(maxLength = 40): fc.Arbitrary<string> {
  const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff));
  return fc.array(unit, { maxLength }).map((units) => String.fromCharCode(...units));
}
