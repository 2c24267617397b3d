/** The program as one executable with Node inside (Node.js §Single executable applications). */

/** The name under which such an executable carries the text of the program. */
export const PROGRAM_ASSET = 'espalier.cjs';

/** Returns the text of the program; undefined when Node runs it from a file. */
export function textInside(): string | undefined {
  const { isSea, getAsset } = process.getBuiltinModule('node:sea');
  return isSea() ? getAsset(PROGRAM_ASSET, 'utf8') : undefined;
}

/** Whether this process is such an executable. */
export function isExecutable(): boolean {
  return process.getBuiltinModule('node:sea').isSea();
}
