/** The EFI variables that a description asks for beside its image. */
import { resolve } from 'node:path';
import type { VariableSources } from './make-variable-file.ts';
import type { ReadDescription } from './toml-description.ts';

/** What a description or a command line says of EFI variables; the image is the one that is made. */
export type WantedVariables = Omit<VariableSources, 'image' | 'time'>;

/** Returns what a description says; its paths begin at its own directory. */
export function variablesOf({ values, directory }: ReadDescription): WantedVariables | undefined {
  const wanted = values['efi-variables'];
  if (wanted === undefined) return undefined;
  const at = (path: string): string => resolve(directory, path);
  const { firmware, output, keys, dbx, microsoft, certificates, boot } = wanted;
  return {
    ...{ template: at(firmware), output: at(output), boot },
    keys: keys === undefined ? undefined : at(keys),
    dbx: dbx === undefined ? undefined : at(dbx),
    microsoft: microsoft.map(at),
    certificates: certificates.map(at),
  };
}
