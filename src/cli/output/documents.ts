import { compareUtf8, stringifyGo } from '../../lib/json/stringify.ts'
import type { Json } from '../../lib/json/value.ts'
import { isObject } from '../../sdk/envelope.ts'

/** Members in a given order, as Go prints the fields of a struct; the objects inside are sorted. */
export class OrderedMembers {
  readonly members: readonly Member[]

  constructor(members: readonly Member[]) {
    this.members = members
  }
}
export type Member = readonly [string, Json | undefined]
export type Printable = Json | OrderedMembers

/** JSON with two spaces of indent, escaped as Go does it. */
export function jsonText(value: Printable, indent = ''): string {
  const members = membersOf(value)
  const inner = `${indent}  `
  if (members) {
    const lines = members.map(([key, member]) => `${inner}${stringifyGo(key)}: ${jsonText(member ?? null, inner)}`)
    return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${indent}}`
  }
  if (value instanceof OrderedMembers) return '{}'
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => `${inner}${jsonText(item, inner)}`)
    return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n${indent}]`
  }
  return stringifyGo(value)
}

/** Block YAML; a text that YAML could take for something else is quoted. */
export function yamlText(value: Printable, indent = ''): string {
  const members = membersOf(value)
  if (members) {
    if (members.length === 0) return '{}'
    return members.map(([key, member]) => `${indent}${yamlString(key)}:${yamlBelow(member ?? null, indent)}`).join('\n')
  }
  if (value instanceof OrderedMembers) return '{}'
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    return value.map((item: Json) => `${indent}-${yamlItem(item, indent)}`).join('\n')
  }
  return typeof value === 'string' ? yamlString(value) : stringifyGo(value)
}

function yamlBelow(value: Json, indent: string): string {
  if (isObject(value) && Object.keys(value).length > 0) return `\n${yamlText(value, `${indent}  `)}`
  if (Array.isArray(value) && value.length > 0) return `\n${yamlText(value, indent)}`
  return ` ${yamlText(value)}`
}

function yamlItem(value: Json, indent: string): string {
  if (isObject(value) && Object.keys(value).length > 0) return ` ${yamlText(value, `${indent}  `).trimStart()}`
  if (Array.isArray(value) && value.length > 0) return `\n${yamlText(value, `${indent}  `)}`
  return ` ${yamlText(value)}`
}

const wordsOfYaml = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i

function yamlString(text: string): string {
  const plain = /^[A-Za-z_/][\w./@-]*(?: [\w./@-]+)*$/.test(text) && !wordsOfYaml.test(text)
  return plain ? text : JSON.stringify(text)
}

function membersOf(value: Printable): readonly Member[] | undefined {
  if (value instanceof OrderedMembers) return value.members.filter(([, member]) => member !== undefined)
  if (!isObject(value)) return undefined
  return Object.keys(value)
    .sort(compareUtf8)
    .filter((key) => value[key] !== undefined)
    .map((key) => [key, value[key]] as const)
}
