/** What the system wants on every ESP, as a value. */
import type { FileStat } from '../disk/disk.ts';
import type { Malformed } from '../generation/generation.ts';
import type { Architecture } from '../loader/architecture.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { LeftOut } from '../plan/step.ts';
import type { WantedGeneration } from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';

/** What the system wants on every ESP. */
export interface Survey {
  readonly settings: Settings;
  readonly signer: Signer;
  readonly architecture: Architecture;
  /** `lib/systemd/boot/efi` of the systemd in use. */
  readonly efiDirectory: string;
  /** The ID of the entry that is to boot next. */
  readonly default: string;
  /** IDs of entries whose file systems are not here. */
  readonly unreachable: ReadonlySet<string>;
  readonly musts: readonly WantedGeneration[];
  readonly wishes: readonly WantedGeneration[];
  readonly leftOut: readonly LeftOut[];
  readonly quarantined: readonly Malformed[];
  /** Real path of the running system. */
  readonly running: string | undefined;
  /** The same, if no generation has it any more. */
  readonly booted: string | undefined;
  /** Files beside those of generations. */
  readonly extras: readonly DeclaredExtra[];
  readonly sources: ReadonlyMap<string, FileStat>;
  readonly warnings: readonly string[];
  /** What a person should know once, though all is as it should be. */
  readonly cautions: readonly string[];
  /** What costs time and nothing else. */
  readonly notices: readonly string[];
  readonly dispose: () => void;
}
