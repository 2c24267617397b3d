/** Reads what a verb printed with `--json`, and holds it to the schema of that verb. */
import assert from 'node:assert/strict';
import { schemaOf } from '../../tools/json-documents.ts';
import { faultsIn } from '../../tools/schema.ts';

/** Returns the document. It fails for a key or a value that the schema does not have. */
export function readDocument<Shape = Record<string, unknown>>(verb: string, output: string): Shape {
  const document: Shape = JSON.parse(output);
  assert.deepEqual(faultsIn(document, schemaOf(verb)), [], `${verb} --json`);
  return document;
}
