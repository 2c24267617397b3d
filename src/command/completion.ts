/** `completion`: the script that a shell reads once, and the words that it asks for at each Tab. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { openSource } from '../generation/sources.ts';
import { generationName } from '../plan/wanted.ts';
import { choices } from '../quantity.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { type Candidates, candidatesFor } from './candidates.ts';
import type { VerbDeclaration } from './verb.ts';

/**
 * Each script hands the words to `completion words`. The first line of the answer is `:files` or
 * `:directories` where the shell finds the words itself.
 */
export const COMPLETION_SCRIPTS = {
  bash: `# Read by bash-completion from /usr/share/bash-completion/completions/espalier.
_espalier() {
  local current=\${COMP_WORDS[COMP_CWORD]} line
  local -a answer
  COMPREPLY=()
  mapfile -t answer < <(espalier completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ $current == '=' ]] && current=
  case \${answer[0]} in
    :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    :directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *) for line in "\${answer[@]}"; do COMPREPLY+=("\${line%%$'\\t'*}"); done ;;
  esac
}
complete -F _espalier espalier
`,
  zsh: `#compdef espalier
# Read by zsh from a directory in fpath, under the name _espalier.
local -a answer words_found
answer=("\${(@f)$(espalier completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
case $answer[1] in
  :files) _files ;;
  :directories) _files -/ ;;
  *)
    words_found=("\${(@)\${(@)answer//:/\\\\:}/$'\\t'/:}")
    _describe espalier words_found
    ;;
esac
`,
  fish: `# Read by fish from /usr/share/fish/vendor_completions.d/espalier.fish.
function __espalier_words
    set -l answer (espalier completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
    switch "$answer[1]"
        case :files
            __fish_complete_path (commandline -ct)
        case :directories
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\\n' $answer
    end
end
complete -c espalier -f -a '(__espalier_words)'
`,
} as const;

/**
 * Prints the script for a shell.
 * @throws {CONFIG_INVALID} for a shell that is not known
 */
export async function completionScript(
  { operands: [shell = ''] }: Invocation,
  { print }: Pick<Context, 'print'>,
): Promise<number> {
  const script = new Map(Object.entries(COMPLETION_SCRIPTS)).get(shell);
  if (script === undefined) {
    throw new EspError('CONFIG_INVALID', `${shell}: no script for this shell`, {
      hint: choices(Object.keys(COMPLETION_SCRIPTS)),
    });
  }
  print(script.trimEnd());
  return 0;
}

/** Prints what may stand in place of the last operand, one word in each line, with a tab and its help. */
export function completionWords(
  verbs: readonly VerbDeclaration[],
): (invocation: Invocation, context: Context) => Promise<number> {
  return async ({ operands }, context) => {
    await printCandidates(candidatesFor(verbs, joined(operands)), context);
    return 0;
  };
}

async function printCandidates(found: Candidates, context: Context): Promise<void> {
  const { print } = context;
  if (found.kind === 'generations') {
    for (const name of await generationNames(context)) print(name);
  } else if (found.kind !== 'words') print(`:${found.kind}`);
  else for (const { word, help } of found.words) print(help === '' ? word : `${word}\t${help}`);
}

/** Bash gives `--format=uki` as three words: what the script offers then stands behind the sign. */
function joined(words: readonly string[]): readonly string[] {
  const at = words.lastIndexOf('=');
  if (at < 1 || at < words.length - 2) return words;
  return [...words.slice(0, at), words[at + 1] ?? ''];
}

/** Whoever presses Tab is told nothing of wrong settings: the verb will tell. */
async function generationNames({ disk, environment }: Context): Promise<readonly string[]> {
  try {
    const settings = await readSettings({}, environment, disk);
    return openSource(settings, disk).read().generations.map(generationName);
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}
