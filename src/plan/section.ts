/** Makes the sections of images that do not come from the stub. Pure. */
import { type Digest, digestBytes, hash } from '../digest.ts';
import type { SectionContent } from './step.ts';
import type { Payload } from './wanted.ts';

/** Returns a section with a text in memory. */
export function textSection(name: string, text: string): SectionContent {
  return {
    name,
    digest: hash(text),
    size: new TextEncoder().encode(text).length,
    content: { kind: 'text', text },
  };
}

/** Returns a section with the content of a file. */
export function fileSection(name: string, { path, size, digest }: Payload): SectionContent {
  return { name, digest, size, content: { kind: 'file', path } };
}

/** Returns a section with the digest of a file. */
export function digestSection(name: string, digest: Digest): SectionContent {
  const bytes = digestBytes(digest);
  return { name, digest: hash(bytes), size: bytes.length, content: { kind: 'digest', digest } };
}
