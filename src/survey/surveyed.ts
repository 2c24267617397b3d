/** What the system wants on every ESP, and what is needed to make it so. */
import type { FileStat } from '../disk/disk.ts';
import type { OwnSystems } from '../esp/neighbours.ts';
import type { FormatName } from '../plan/formats.ts';
import type { WantedSystem } from '../plan/wanted-system.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import type { PolicyMaker, PolicyRule } from './policies.ts';

/** The system's wishes, its signer, and the sources of the files. */
export interface Survey extends WantedSystem {
  readonly settings: Settings;
  readonly signer: Signer;
  /** The policies for PCR 11 that images carry; undefined where nobody signs any. */
  readonly policies: (PolicyRule & Pick<PolicyMaker, 'unsigned'>) | undefined;
  /** The format of the entries, and why it is that one. */
  readonly format: { readonly name: FormatName; readonly because: string };
  /** The files as they were when their digests were taken. */
  readonly sources: ReadonlyMap<string, FileStat>;
  /** What a person should know once, though all is as it should be. */
  readonly cautions: readonly string[];
  /** What tells entries of this machine from another's; undefined when all that have our names are ours. */
  readonly ownSystems: OwnSystems | undefined;
  /** What costs time and nothing else. */
  readonly notices: readonly string[];
  readonly dispose: () => void;
}
