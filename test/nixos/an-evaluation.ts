/**
 * Evaluates configurations with the module, by Debian's Nix and without nixpkgs: what the module uses of
 * it stands in beside this file.
 */
import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, type Ran, run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';

/** Why nothing can be evaluated here, or false. */
export const skipWithoutNix =
  missingTools(['nix-bin']).length > 0 && 'SKIPPED, needs Debian’s nix-bin';

/** nixpkgs' library and what stands in for it: everything is to hold with both. */
export const LIBRARIES: readonly {
  readonly library: string;
  readonly checkout: string | undefined;
  readonly skip: string | false;
}[] = [
  { library: 'what stands in for nixpkgs', checkout: undefined, skip: skipWithoutNix },
  {
    library: 'the library of nixpkgs',
    checkout: process.env['NIXPKGS_LIB'],
    skip:
      skipWithoutNix ||
      (process.env['NIXPKGS_LIB'] === undefined &&
        'SKIPPED, needs a checkout of nixpkgs or of its library, named by NIXPKGS_LIB'),
  },
];

/** A place for a store of its own, with the text files that an evaluation makes in it. */
export interface Workplace {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** @param checkout of nixpkgs' library, instead of what stands in for it */
export function makeWorkplace(checkout = ''): Workplace {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'espalier-nixos-')));
  return {
    folder,
    environment: {
      NIX_REMOTE: '',
      NIX_STORE_DIR: join(folder, 'store'),
      NIX_STATE_DIR: join(folder, 'state'),
      NIX_LOG_DIR: join(folder, 'log'),
      NIX_CONF_DIR: folder,
      HOME: folder,
      NIXPKGS_LIB: checkout,
      PACKAGES: join(folder, 'packages'),
    },
  };
}

export function removeWorkplace({ folder }: Workplace): void {
  rmSync(folder, { recursive: true, force: true });
}

/** One unit as the module describes it. */
export interface Unit {
  readonly wantedBy: readonly string[];
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly wants: readonly string[];
  readonly script: string;
  readonly reloadTriggers: readonly string[];
  readonly unitConfig: Readonly<Record<string, unknown>>;
  readonly serviceConfig: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
}

/** What a configuration makes of a system. Files are paths of real ones. */
export interface System {
  /** The messages of the assertions that fail. */
  readonly complaints: readonly string[];
  readonly warnings: readonly string[];
  readonly hook: string;
  readonly configFile: string;
  readonly installCommand: string;
  readonly supportsInitrdSecrets: boolean;
  readonly bootspec: { readonly extensions: Readonly<Record<string, unknown>> };
  readonly environment: {
    readonly etc: Readonly<Record<string, { readonly source: string }>>;
    readonly systemPackages: readonly string[];
  };
  readonly systemd: {
    readonly packages: readonly string[];
    readonly additionalUpstreamSystemUnits: readonly string[];
    readonly services: Readonly<Record<string, Unit>>;
    readonly targets: Readonly<Record<string, Unit>>;
    readonly timers: Readonly<Record<string, Unit>>;
  };
}

/** Returns what an attribute of `evaluate.nix` says of a configuration, the text of a NixOS module. */
export function evaluated(configuration: string, attribute: string, workplace: Workplace): unknown {
  return JSON.parse(
    run('nix-instantiate', parameters(configuration, attribute), options(workplace)),
  );
}

/** Returns the system that a configuration makes; its scripts can be executed. */
export function systemOf(configuration: string, workplace: Workplace): System {
  const system = evaluated(configuration, 'system', workplace) as System;
  const store = join(workplace.folder, 'store');
  for (const name of readdirSync(store).filter((each) => !each.startsWith('.'))) {
    chmodSync(join(store, name), 0o755);
  }
  return system;
}

/** Returns what Nix says to an attribute of a configuration that need not be a good one. */
export function tried(configuration: string, attribute: string, workplace: Workplace): Ran {
  return attempt('nix-instantiate', parameters(configuration, attribute), options(workplace));
}

function parameters(configuration: string, attribute: string): readonly string[] {
  const expression = `(import ./evaluate.nix (${configuration})).${attribute}`;
  return ['--eval', '--strict', '--json', '--read-write-mode', '--expr', expression];
}

function options({ environment }: Workplace) {
  return { cwd: import.meta.dirname, env: environment };
}

/** A configuration of `boot.espalier`, with a package that is but a place. */
export function espalierIs(settings: string, beside = '', place = '/packages/espalier'): string {
  return `{
    boot.espalier = {
      enable = true;
      package = { type = "derivation"; name = "espalier"; outPath = "${place}"; meta.mainProgram = "espalier"; };
      ${settings}
    };
    ${beside}
  }`;
}
