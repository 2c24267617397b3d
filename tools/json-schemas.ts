/** `node tools/json-schemas.ts` writes docs/schemas/: a JSON Schema of what each verb prints with `--json`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DOCUMENTS, SHAPES_OF_OTHERS, schemaOf } from './json-documents.ts';

/** Where the schemas are. */
export const SCHEMAS = resolve(import.meta.dirname, '../docs/schemas');

/** Returns every schema as text, by the name of its file. */
export function schemaFiles(): ReadonlyMap<string, string> {
  return new Map(
    Object.keys({ ...DOCUMENTS, ...SHAPES_OF_OTHERS }).map((verb) => {
      const document = {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        title: `espalier ${verb} --json`,
        ...schemaOf(verb),
      };
      return [
        `${verb.replaceAll(' ', '-')}.schema.json`,
        `${JSON.stringify(document, undefined, 2)}\n`,
      ];
    }),
  );
}

if (import.meta.main) {
  mkdirSync(SCHEMAS, { recursive: true });
  for (const [name, text] of schemaFiles()) writeFileSync(join(SCHEMAS, name), text);
}
