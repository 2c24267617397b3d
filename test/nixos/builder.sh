# What nixpkgs' shell has for the commands of a derivation, as far as the package calls it.
PATH=$machinePath
for input in ${nativeBuildInputs-}; do PATH=$input/bin:$PATH; done
export PATH
# The certificates of nixpkgs are but a place here.
unset NODE_EXTRA_CA_CERTS
# npm asks the registry for nothing that it has.
export npm_config_cache=$npmCache npm_config_prefer_offline=true

runHook() { :; }

unpack() {
  cp -r "$src" source
  chmod -R u+w source
  cd source
}

npmConfigHook() {
  export HOME=$TMPDIR
  cp --no-preserve=mode "$npmDeps"/package*.json .
  npm_config_cache=$HOME/.npm npm install --offline --no-audit --no-fund --ignore-scripts --silent
  npm rebuild --offline --silent $npmRebuildFlags
}

makeWrapper() { # program, wrapper, --add-flags, flags
  mkdir -p "$(dirname "$2")"
  printf '#!/bin/sh\nexec %s %s "$@"\n' "$1" "$4" > "$2"
  chmod +x "$2"
}

substituteInPlace() {
  file=$1
  shift
  while [ $# -gt 0 ]; do
    test "$1" = --replace-fail
    grep -qF -- "$2" "$file"
    sed -i "s|$2|$3|g" "$file"
    shift 3
  done
}

installManPage() {
  for page; do install -D -m 644 -t "$out/share/man/man${page##*.}" "$page"; done
}

installShellCompletion() {
  install -D -m 644 "$1" "$out/share/bash-completion/completions/$1"
  install -D -m 644 "$2" "$out/share/fish/vendor_completions.d/$2"
  install -D -m 644 "$3" "$out/share/zsh/site-functions/_${3%.zsh}"
}

cd "$TMPDIR"
if [ -f "${buildCommandPath-}" ]; then source "$buildCommandPath"; else eval "$buildCommand"; fi
