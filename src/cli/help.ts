import { commands, type Group, groups, rolesOf } from './catalogue.ts'
import type { CliContext, Command } from './command.ts'
import type { FlagSpecs } from './flags.ts'
import { connectionFlags } from './session.ts'

type Name = Pick<CliContext, 'name'>

export function overview({ name }: Name): string {
  const single = commands.filter((command) => !command.name.includes(' '))
  const common = single.filter((command) =>
    ['read', 'write', 'delete', 'list', 'login', 'status'].includes(command.name),
  )
  const others: Group[] = [
    ...single.filter((command) => !common.includes(command)),
    ...groups.filter((group) => !group.name.includes(' ')),
  ]
  return [
    `Usage: ${name} <command> [options] [args]`,
    `Common commands:\n${listOf(common)}`,
    `Other commands:\n${listOf(others.sort((a, b) => a.name.localeCompare(b.name)))}`,
    `Programs:\n${listOf(rolesOf(name))}`,
    `"${name} <command> -h" shows what it takes, with examples. The server is named by VAULT_ADDR or -address.`,
  ].join('\n\n')
}

export function groupHelp({ name }: Name, group: string): string {
  const members = commands.filter((command) => command.name.startsWith(`${group} `))
  const summary = groups.find((one) => one.name === group)?.summary ?? ''
  const first = members[0]?.examples[0]
  return [
    `Usage: ${name} ${group} <subcommand> [options] [args]`,
    summary,
    `Subcommands:\n${listOf(members.map((command) => ({ ...command, name: command.name.slice(group.length + 1) })))}`,
    ...(first ? [`Example:\n\n    $ ${name} ${first.run}`] : []),
  ].join('\n\n')
}

export function commandHelp({ name }: Name, command: Command): string {
  const own = Object.fromEntries(
    Object.entries(command.flags).filter(([flag]) => !Object.hasOwn(connectionFlags, flag)),
  )
  const connects = Object.hasOwn(command.flags, 'address')
  return [
    `Usage: ${name} ${command.name}${command.args ? ` ${command.args}` : ''}`,
    `${command.summary}.${command.about ? `\n\n${wrapped(command.about)}` : ''}`,
    command.examples.map((example) => `${example.says}:\n\n    $ ${name} ${example.run}`).join('\n\n'),
    ...(Object.keys(own).length > 0 ? [`Options:\n${flagList(own)}`] : []),
    ...(connects ? [`Options of every command that asks the server:\n${flagList(connectionFlags)}`] : []),
  ].join('\n\n')
}

function listOf(items: readonly Group[]): string {
  const width = Math.max(...items.map((item) => item.name.length))
  return items.map((item) => `    ${item.name.padEnd(width)}    ${item.summary}`).join('\n')
}

function flagList(specs: FlagSpecs): string {
  const rows = Object.entries(specs).map(([flag, spec]) => {
    const alias = spec.alias ? `-${spec.alias}, ` : ''
    return { name: `${alias}-${flag}${spec.kind === 'bool' ? '' : `=<${spec.kind}>`}`, summary: spec.about }
  })
  return listOf(rows)
}

function wrapped(text: string, width = 100): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}
