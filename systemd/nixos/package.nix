# The program, its second name and its units, for Nix. Nothing is fetched and nothing compiled: the one
# file that `npm run build` makes is what every other system gets, too. A package set that builds that
# file itself hands it in as `bundle`.
{
  lib,
  stdenvNoCC,
  makeWrapper,
  nodejs_24,
  systemd,
  bundle ? ../../dist/espalier.mjs,
  # Of the packages that are in it.
  licenses ? dirOf bundle + "/LICENSES",
}:

assert lib.assertMsg (builtins.pathExists bundle)
  "${toString bundle}: there is no such file; make it with npm run build";

stdenvNoCC.mkDerivation {
  pname = "espalier";
  inherit (lib.importJSON ../../package.json) version;

  src = lib.sourceByRegex ../. [ "espalier-.*" ];
  nativeBuildInputs = [ makeWrapper ];

  dontConfigure = true;
  dontBuild = true;

  installPhase = ''
    runHook preInstall

    library=$out/lib/espalier
    install -D -m 644 ${bundle} $library/espalier.mjs
    install -D -m 644 ${licenses} $out/share/doc/espalier/LICENSES
    # The program looks at the name that it is started under.
    ln -s espalier.mjs $library/lzbt-systemd
    makeWrapper ${lib.getExe nodejs_24} $out/bin/espalier --add-flags $library/espalier.mjs
    makeWrapper ${lib.getExe nodejs_24} $out/bin/lzbt-systemd --add-flags $library/lzbt-systemd

    install -D -m 644 -t $out/lib/systemd/system espalier-*
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
    description = "Installs boot entries on an EFI System Partition";
    license = lib.licenses.mit;
    mainProgram = "espalier";
    platforms = lib.platforms.linux;
    # The floor of the program: package.json, `engines`.
    broken = lib.versionOlder nodejs_24.version "24.15";
  };
}
