/** Reads what a verb printed with `--json`, and holds it to the schema of that verb. */
import assert from 'node:assert/strict';
import { schemaOf } from '../../tools/json-documents.ts';
import { faultsIn } from '../../tools/schema.ts';

/** Returns the document. It fails for a key or a value that the schema does not have. */
export function readDocument(verb: string, output: string): Record<string, unknown> {
  const document: Record<string, unknown> = JSON.parse(output);
  assert.deepEqual(faultsIn(document, schemaOf(verb)), [], `${verb} --json`);
  return document;
}
