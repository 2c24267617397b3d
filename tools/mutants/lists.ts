/** All mutants, room by room: one list for each file of records. */
import type { Mutant } from './mutant.ts';
import { decision } from './rooms/decision.ts';
import { disk } from './rooms/disk.ts';
import { esp } from './rooms/esp.ts';
import { fat } from './rooms/fat.ts';
import { generation } from './rooms/generation.ts';
import { loader } from './rooms/loader.ts';
import { pe } from './rooms/pe.ts';
import { plan } from './rooms/plan.ts';
import { secureboot } from './rooms/secureboot.ts';
import { service } from './rooms/service.ts';
import { signer } from './rooms/signer.ts';
import { transaction } from './rooms/transaction.ts';
import { uki } from './rooms/uki.ts';
import { verity } from './rooms/verity.ts';
import { volumes } from './rooms/volumes.ts';

export const LISTS: readonly (readonly Mutant[])[] = [
  decision,
  plan,
  transaction,
  esp,
  generation,
  service,
  volumes,
  loader,
  pe,
  signer,
  secureboot,
  verity,
  disk,
  fat,
  uki,
];
