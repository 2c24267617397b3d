/** Everything that the making of one image is told, whatever language told it. */
import type { SignerFiles } from '../signer/pem.ts';
import type { TreeSettings } from '../tree/contents.ts';
import type { EspDescription } from './esp-description.ts';
import type { NixpkgsDescription } from './nixpkgs-plan.ts';
import type { ImageDescription } from './plan-image.ts';
import type { WantedVariables } from './toml-variables.ts';

export interface ImageJob {
  readonly disk:
    | ({ readonly kind: 'partitions' } & ImageDescription)
    | ({ readonly kind: 'make-disk-image' } & NixpkgsDescription);
  readonly tree: TreeSettings;
  /** Of everything in the image, in seconds since the epoch. */
  readonly time: number;
  /** As systemd writes it in names of types. */
  readonly architecture: string;
  readonly esp: EspDescription;
  readonly key?: SignerFiles | undefined;
  /** Of the output; where it is not given, the ending of the output's name tells. */
  readonly format?: string | undefined;
  /** Whether each partition gets a file of its own as well. */
  readonly isSplit: boolean;
  /** A file of EFI variables that boots it. */
  readonly variables?: WantedVariables | undefined;
}
