# Stands in for nixpkgs' builders: derivations that Nix really builds, with the programs of this machine.
let
  derivationOf =
    attributes:
    derivation (
      {
        name = "${attributes.pname}-${attributes.version}";
        system = builtins.currentSystem or "x86_64-linux";
        builder = "/bin/bash";
        args = [
          "-eu"
          ./builder.sh
        ];
        # The machine's own programs, and what its npm has fetched before.
        machinePath = builtins.getEnv "PATH";
        npmCache = builtins.getEnv "NPM_CACHE";
      }
      // attributes.env or { }
      // removeAttrs attributes [
        "env"
        "meta"
        "nodejs"
        "npmConfigHook"
      ]
    )
    // {
      inherit (attributes) meta;
    };

  # The lock file and package.json, with files of the store for what lies in a registry.
  lockFiles =
    {
      pname,
      version,
      package,
      packageLock,
      packageSourceOverrides,
    }:
    let
      packages = builtins.mapAttrs (
        path: locked:
        if packageSourceOverrides ? ${path} then
          locked // { resolved = "file:${packageSourceOverrides.${path}}"; }
        else
          locked
      ) packageLock.packages;
      resolved = builtins.mapAttrs (name: _: packages."node_modules/${name}".resolved);
    in
    derivationOf {
      inherit pname version;
      meta = { };
      package = builtins.toJSON (
        package
        // {
          dependencies = resolved package.dependencies;
          devDependencies = resolved package.devDependencies;
        }
      );
      packageLock = builtins.toJSON (packageLock // { inherit packages; });
      passAsFile = [
        "package"
        "packageLock"
      ];
      buildCommand = ''
        mkdir $out
        cp $packagePath $out/package.json
        cp $packageLockPath $out/package-lock.json
      '';
    };
in
{
  stdenvNoCC = {
    buildPlatform.node = {
      platform = "linux";
      arch = "x64";
    };
    mkDerivation = attributes: derivationOf ({ meta = { }; } // attributes);
  };

  importNpmLock = {
    __functor = _: lockFiles;
    npmConfigHook = "/packages/npm-config-hook";
  };

  buildNpmPackage =
    attributes:
    derivationOf (
      attributes
      // {
        nativeBuildInputs = attributes.nativeBuildInputs ++ [ attributes.nodejs ];
        buildCommand = ''
          unpack
          npmConfigHook
          ${attributes.buildPhase}
          ${attributes.installPhase}
        '';
      }
    )
    // {
      inherit (attributes) version src npmDeps;
    };
}
