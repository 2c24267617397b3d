# The program, its second name, its units, manual pages and completions, built from this tree by nixpkgs'
# builder for npm. It is the one file that every other system gets, too; no Node modules are beside it.
{
  lib,
  stdenvNoCC,
  buildNpmPackage,
  importNpmLock,
  nodejs_24,
  cacert,
  makeWrapper,
  installShellFiles,
  systemd,
  # Of the tree, as `--version --json` says it.
  commit ? "",
}:

let
  tree = ../..;
  package = lib.importJSON ../../package.json;

  packages = import ./npm-packages.nix {
    inherit
      lib
      stdenvNoCC
      cacert
      package
      ;
    nodejs = nodejs_24;
    packageLock = lib.importJSON ../../package-lock.json;
    tools = [ "esbuild" ];
  };
in
buildNpmPackage {
  pname = package.name;
  inherit (package) version;

  env.BUILD_COMMIT = commit;

  # By what it is made of, so that nothing else of a checkout gets into the store or changes the package.
  src = lib.fileset.toSource {
    root = tree;
    fileset = lib.fileset.unions [
      ../../LICENSE
      ../../package.json
      ../../package-lock.json
      (lib.fileset.fileFilter (file: file.hasExt "ts") ../../src)
      (lib.fileset.fileFilter (file: file.hasExt "ts") ../../tools)
      (lib.fileset.fileFilter (file: file.hasExt "service" || file.hasExt "timer") ../.)
    ];
  };

  nodejs = nodejs_24;
  npmDeps = importNpmLock {
    inherit (package) version;
    pname = package.name;
    package = packages.package';
    packageLock = packages.packageLock';
    packageSourceOverrides = packages.sources;
  };
  npmConfigHook = importNpmLock.npmConfigHook;
  # esbuild's script would only look for what is there.
  npmRebuildFlags = [ "--ignore-scripts" ];

  nativeBuildInputs = [
    makeWrapper
    installShellFiles
  ];

  buildPhase = ''
    runHook preBuild
    node tools/build.ts
    runHook postBuild
  '';

  installPhase = ''
    runHook preInstall

    library=$out/lib/espalier
    install -D -m 644 dist/espalier.mjs $library/espalier.mjs
    install -D -m 644 dist/LICENSES $out/share/doc/espalier/LICENSES
    # The program looks at the name that it is started under.
    ln -s espalier.mjs $library/lzbt-systemd
    makeWrapper ${lib.getExe nodejs_24} $out/bin/espalier --add-flags $library/espalier.mjs
    makeWrapper ${lib.getExe nodejs_24} $out/bin/lzbt-systemd --add-flags $library/lzbt-systemd

    installManPage dist/man/*
    for shell in bash fish zsh; do
      node dist/espalier.mjs completion script $shell > espalier.$shell
    done
    installShellCompletion espalier.{bash,fish,zsh}

    install -D -m 644 -t $out/lib/systemd/system systemd/espalier-*
    for unit in $out/lib/systemd/system/*.service; do
      substituteInPlace $unit \
        --replace-fail /usr/bin/node ${lib.getExe nodejs_24} \
        --replace-fail /usr/lib/espalier/espalier.mjs $library/espalier.mjs
    done
    # The watcher speaks to systemd through systemd-notify.
    substituteInPlace $out/lib/systemd/system/espalier-watch.service \
      --replace-fail PATH=/usr/bin PATH=${systemd}/bin

    runHook postInstall
  '';

  meta = {
    inherit (package) description;
    license = lib.licenses.mit;
    mainProgram = "espalier";
    platforms = lib.platforms.linux;
    # The floor of the program: package.json, `engines`.
    broken = lib.versionOlder nodejs_24.version "24.15";
  };
}
