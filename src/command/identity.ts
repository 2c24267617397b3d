/** What this program is: which version, made how, on which Node. */
import type { Machine } from '../process/machine.ts';
import { isExecutable } from '../process/single-executable.ts';

/** The commit of the sources, which the bundler puts here; null when they were not as committed. */
declare const BUILD_COMMIT: string | null;

/** Returns the document that `--version --json` prints. */
export function versionDocument(version: string, { program }: Pick<Machine, 'program'>): object {
  return {
    name: 'espalier',
    version,
    commit: typeof BUILD_COMMIT === 'undefined' ? null : BUILD_COMMIT,
    node: process.versions.node,
    architecture: process.arch,
    build: buildKind(program),
  };
}

function buildKind(program: URL): 'sources' | 'bundle' | 'executable' {
  if (isExecutable()) return 'executable';
  return program.pathname.endsWith('.ts') ? 'sources' : 'bundle';
}
