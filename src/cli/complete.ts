/** `__complete WORDS…`: what can stand where the last word is, one line each; the shells' scripts ask for it. */
import { commands, groups, rolesOf } from './catalogue.ts'

/** The last word is the one being typed; it may be empty. Never fails: a shell has no use for an error here. */
export function completions(words: readonly string[], name: 'coffer' | 'vault'): string[] {
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const plain = before.filter((word) => !word.startsWith('-'))
  const command = commands.find(({ name }) => {
    const parts = name.split(' ')
    return parts.every((part, i) => plain[i] === part)
  })
  if (command && typed.startsWith('-')) {
    return Object.entries(command.flags)
      .map(([name, spec]) => `-${name}${spec.kind === 'bool' ? '' : '='}`)
      .filter((flag) => flag.startsWith(typed.replace(/^--/, '-')))
      .sort()
  }
  if (command && !groups.some(({ name }) => name === command.name)) return []
  const prefix = plain.join(' ')
  const depth = plain.length
  const names = [...commands, ...groups, ...(depth === 0 ? rolesOf(name) : [])].map(({ name }) => name.split(' '))
  const here = names.filter((parts) => prefix === parts.slice(0, depth).join(' ')).map((parts) => parts[depth] ?? '')
  return [...new Set(here)].filter((word) => word !== '' && word.startsWith(typed)).sort()
}
