/** What the rest of the program asks of whoever runs a bootspec's `initrdSecrets` program. */

/** An initrd and the program that appends secrets to a copy of it. */
export interface InitrdSecrets {
  /** The store path of the program. */
  readonly program: string;
  /** The store path of the initrd. */
  readonly initrd: string;
  /** Where the copy may lie, best in memory: it holds secrets in the clear. */
  readonly directory: string;
}

/** A private copy of an initrd that holds secrets. */
export interface SecretInitrd {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** False where the same secrets may come out as other bytes the next time. */
  readonly isSteady?: boolean;
  /** Removes the copy; call it as soon as the image that carries it is made. */
  remove(): void;
}

/**
 * Copies an initrd and lets a program append secrets to the copy (RFC 0125 §Bootspec Format v1).
 * Rejects with INITRD_SECRETS_FAILED; whether that is fatal is for the caller to say: it is for the
 * generation to boot next, while the secrets of an older one may be long gone.
 */
export type SecretsRunner = (secrets: InitrdSecrets) => Promise<SecretInitrd>;
