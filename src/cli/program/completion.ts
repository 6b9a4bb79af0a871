import { type Command, Failure } from '../command.ts'
import { line } from '../output/secret.ts'

/** Each asks the program itself: what can follow the words so far, one line each. */
const scripts: Readonly<Record<string, (name: string) => string>> = {
  bash: (name) => `_${name}_complete() {
  local IFS=$'\\n'
  COMPREPLY=($(${name} __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${COMPREPLY[0]} == */ || \${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _${name}_complete ${name}`,
  zsh: (name) => `#compdef ${name}
_${name}() {
  local -a found
  found=(\${(f)"$(${name} __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -S '' -- \${(M)found:#*[/=]}
  compadd -- \${found:#*[/=]}
}
compdef _${name} ${name}`,
  fish: (name) => `function __${name}_complete
  set -l words (commandline -opc) (commandline -ct)
  ${name} __complete $words[2..-1] 2>/dev/null
end
complete -c ${name} -f -a '(__${name}_complete)'`,
}

export const completion: Command = {
  name: 'completion',
  summary: 'A script that lets your shell complete commands and flags',
  args: 'bash|zsh|fish',
  examples: [
    { says: 'In this shell, and in ~/.bashrc for all', run: 'completion bash' },
    { says: 'Fish loads it from its folder', run: 'completion fish > ~/.config/fish/completions/coffer.fish' },
  ],
  flags: {},
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const shell = call.args[0] ?? ''
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
    if (!script) throw new Failure(1, `Unknown shell ${JSON.stringify(shell)}: bash, zsh or fish`)
    line(call, script(call.context.name))
    return 0
  },
}
