/** The part of JSON Schema (draft 2020-12) that describes our documents, and what checks values by it. */

/** A schema. An object takes further keys from whoever reads it, because later versions add some. */
export interface Schema {
  readonly description?: string;
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'null' | 'array' | 'object';
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
}

export const text: Schema = { type: 'string' };
export const count: Schema = { type: 'integer' };
export const flag: Schema = { type: 'boolean' };
export const anything: Schema = {};

/** Returns the schema of a value that may be null. */
export function nullable(schema: Schema): Schema {
  return { anyOf: [schema, { type: 'null' }] };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

export function words(...all: readonly string[]): Schema {
  return { enum: all };
}

/** Returns the schema of an object whose keys are not known before. */
export function mapOf(values: Schema): Schema {
  return { type: 'object', additionalProperties: values };
}

type Shape = Readonly<Record<string, Schema>>;

/** Returns the schema of an object: the keys that are always there, and those that may be. */
export function object(required: Shape, optional: Shape = {}): Schema {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
  };
}

/** Returns what is wrong with a value, each with its place; a key that no schema names is wrong, too. */
export function faultsIn(value: unknown, schema: Schema, at = '$'): readonly string[] {
  const { anyOf, enum: allowed, type } = schema;
  if (anyOf) {
    const each = anyOf.map((one) => faultsIn(value, one, at));
    // The schema that comes closest tells most.
    return each.toSorted((a, b) => a.length - b.length)[0] ?? [];
  }
  if ('const' in schema && value !== schema.const) return [`${at}: expected ${schema.const}`];
  if (allowed && !allowed.includes(value))
    return [`${at}: ${value}: expected ${allowed.join(', ')}`];
  if (type && !isOf(type, value)) return [`${at}: expected ${type}, got ${JSON.stringify(value)}`];
  if (Array.isArray(value)) {
    const { items = anything } = schema;
    return value.flatMap((item, index) => faultsIn(item, items, `${at}[${index}]`));
  }
  if (typeof value === 'object' && value !== null) return faultsInObject(value, schema, at);
  return [];
}

function faultsInObject(value: object, schema: Schema, at: string): readonly string[] {
  const { properties, additionalProperties, required = [] } = schema;
  const isOpen = properties === undefined && additionalProperties === undefined;
  const missing = required.filter((key) => !(key in value));
  return [
    ...missing.map((key) => `${at}.${key}: is missing`),
    ...Object.entries(value).flatMap(([key, item]) => {
      const known = properties?.[key] ?? additionalProperties ?? (isOpen ? anything : undefined);
      return known ? faultsIn(item, known, `${at}.${key}`) : [`${at}.${key}: is in no schema`];
    }),
  ];
}

function isOf(type: NonNullable<Schema['type']>, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object')
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
