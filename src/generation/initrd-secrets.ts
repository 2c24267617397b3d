/** The interface of whatever runs a bootspec's `initrdSecrets` program. */

/** An initrd, and the program that appends secrets to a copy of it. */
export interface InitrdSecrets {
  /** The store path of the program. */
  readonly program: string;
  /** The store path of the initrd. */
  readonly initrd: string;
  /**
   * The directory for the copy. It should be in memory, since the copy holds secrets in the clear.
   */
  readonly directory: string;
}

/** A private copy of an initrd that holds secrets. */
export interface SecretInitrd {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** False where the same secrets may come out as other bytes the next time. */
  readonly isSteady?: boolean;
  /** Removes the copy. Call it as soon as the image that carries it is written. */
  remove(): void;
}

/**
 * Copies an initrd and lets a program append secrets to the copy (RFC 0125 §Bootspec Format v1).
 * Rejects with INITRD_SECRETS_FAILED. The caller decides whether that is fatal: it is for the
 * generation that boots next, while the secrets of an older one may be long gone.
 */
export type SecretsRunner = (secrets: InitrdSecrets) => Promise<SecretInitrd>;
