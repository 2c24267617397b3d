# The packages that the program is built with, for importNpmLock of nixpkgs: package.json and the lock
# file without what no build needs, and a source for each package.
#
# The lock file says what a package is (name, version, digest) and not where it lies, so that every
# machine asks the registry that it is set up for. Nix's own fetchers want an address: fetchNpmDeps
# passes over a package that has none. So npm itself fetches, and Nix holds the digest against it.
{
  lib,
  stdenvNoCC,
  nodejs,
  cacert,
  package,
  packageLock,
  # Of the packages for development alone, those that a build needs.
  tools,
}:

let
  inherit (stdenvNoCC.buildPlatform) node;

  # As npm has it: `node_modules/a/node_modules/@b/c` is the package `@b/c`.
  nameOf = path: lib.last (lib.splitString "node_modules/" path);

  # A compiled package names the systems that it is for.
  isForThisSystem =
    { os ? [ node.platform ], cpu ? [ node.arch ], ... }: lib.elem node.platform os && lib.elem node.arch cpu;

  toolPackages = lib.concatMap (
    name: [ name ] ++ lib.attrNames (packageLock.packages."node_modules/${name}".optionalDependencies or { })
  ) tools;
  isNeeded =
    path: locked:
    path != ""
    && (
      if locked.dev or false || locked.optional or false || locked.devOptional or false then
        lib.elem (nameOf path) toolPackages && isForThisSystem locked
      else
        true
    );
  needed = lib.filterAttrs isNeeded packageLock.packages;
  isKept = name: _: needed ? "node_modules/${name}";

  source =
    path: { version, integrity, ... }:
    let
      name = nameOf path;
    in
    stdenvNoCC.mkDerivation {
      # npm takes a file for a package by the end of its name.
      name = "${baseNameOf name}-${version}.tgz";
      outputHashMode = "flat";
      outputHash = integrity;
      nativeBuildInputs = [ nodejs ];
      impureEnvVars = lib.fetchers.proxyImpureEnvVars ++ [ "npm_config_registry" ];
      NODE_EXTRA_CA_CERTS = "${cacert}/etc/ssl/certs/ca-bundle.crt";
      preferLocalBuild = true;
      buildCommand = ''
        export HOME=$PWD
        npm pack --silent ${lib.escapeShellArg "${name}@${version}"}
        mv ./*.tgz $out
      '';
    };
in
rec {
  package' = package // {
    devDependencies = lib.filterAttrs isKept package.devDependencies;
  };

  packageLock' = packageLock // {
    packages = lib.mapAttrs (
      _: locked:
      # What is not for this system would be asked for at the registry.
      locked
      // lib.optionalAttrs (locked ? optionalDependencies) {
        optionalDependencies = lib.filterAttrs isKept locked.optionalDependencies;
      }
    ) needed
    // {
      "" = packageLock.packages."" // {
        inherit (package') devDependencies;
      };
    };
  };

  sources = lib.mapAttrs source needed;
}
