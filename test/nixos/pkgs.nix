# As much of nixpkgs' packages as the module and the package use. Text files are real ones, in the store
# of whoever evaluates; packages are but places, unless they are built with builders.nix.
{ lib }:
let
  packages = builtins.getEnv "PACKAGES";
  place = name: meta: {
    type = "derivation";
    outPath = "${packages}/${name}";
    inherit name meta;
  };
  program = name: place name { mainProgram = name; };
  isTable = value: builtins.isAttrs value;
  key = name: if builtins.match "[A-Za-z0-9_-]+" name == null then builtins.toJSON name else name;
  pair = name: value: "${key name} = ${inline value}";
  inline =
    value:
    if isTable value then
      "{ ${lib.concatStringsSep ", " (lib.mapAttrsToList pair value)} }"
    else
      builtins.toJSON value;

  # TOML of values and of tables of values: JSON's strings, numbers and lists are TOML's, too.
  toTOML =
    settings:
    let
      line = name: value: "${pair name value}\n";
      values = lib.filterAttrs (_: value: !isTable value) settings;
      tables = lib.filterAttrs (_: isTable) settings;
      text = set: lib.concatStringsSep "" (lib.mapAttrsToList line set);
    in
    text values
    + lib.concatStringsSep "" (
      lib.mapAttrsToList (name: table: "[${name}]\n${text table}") tables
    );

  pkgs = {
    inherit lib;
    callPackage =
      file: arguments:
      let
        function = import file;
        wanted = builtins.intersectAttrs (builtins.functionArgs function) pkgs;
      in
      function (wanted // arguments);
    stdenv.hostPlatform.system = "x86_64-linux";
    inherit (import ./builders.nix) stdenvNoCC importNpmLock buildNpmPackage;
    cacert = place "cacert" { };
    installShellFiles = place "install-shell-files" { };
    makeWrapper = place "make-wrapper" { };
    memtest86plus.efi = "${place "memtest86plus" { }}/memtest.efi";
    netbootxyz-efi = place "netboot.xyz.efi" { };
    edk2-uefi-shell = place "edk2-uefi-shell" { };
    nodejs_24 = place "nodejs" { mainProgram = "node"; } // {
      version = "24.15.0";
    };
    systemd = place "systemd" { };
    sbctl.src = "${packages}/sbctl-source";
    fwupd = place "fwupd" { } // {
      fwupd-efi = "${packages}/fwupd-efi";
    };

    writeShellScript = name: text: builtins.toFile name "#!/bin/sh\n${text}";
    linkFarm =
      name: entries: builtins.toFile name (builtins.toJSON entries);
    formats = {
      toml = { }: {
        type = lib.types.attrsOf lib.types.anything;
        generate = name: settings: builtins.toFile name (toTOML settings);
      };
      json = { }: {
        type = lib.types.anything;
        generate = name: value: builtins.toFile name (builtins.toJSON value);
      };
      keyValue = { mkKeyValue }: {
        type = lib.types.attrsOf lib.types.anything;
        generate =
          name: settings:
          builtins.toFile name (lib.concatStringsSep "" (lib.mapAttrsToList (key: value: "${mkKeyValue key value}\n") settings));
      };
    };
  };
in
pkgs
