/** `audit "file" "path" { options { … } }`: audit devices that the server has from its start on. */
import { members } from '../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject, type HclValue, isHclList, isHclObject } from '../../lib/hcl/tree.ts'
import { JsonNumber } from '../../lib/json/value.ts'

export interface AuditStanza {
  readonly type: string
  /** With its trailing slash. */
  readonly path: string
  readonly description: string
  readonly options: Readonly<Record<string, string>>
  readonly local: boolean
}

const known = ['type', 'path', 'description', 'options', 'local']
const types = ['file', 'socket', 'syslog', 'http']

/** All blocks `audit` of a configuration, also in OpenBao's form with `type` and `path` inside. Throws HclError. */
export function readAuditStanzas(document: HclObject): AuditStanza[] {
  const found: AuditStanza[] = []
  const paths = new Set<string>()
  for (const item of document.items) {
    if (item.key !== 'audit') continue
    for (const { labels, body } of unfold(item.labels, item.value, item)) {
      const stanza = readStanza(labels, body, item)
      if (paths.has(stanza.path)) throw new HclError(`there are two audit devices at "${stanza.path}"`, item)
      paths.add(stanza.path)
      found.push(stanza)
    }
  }
  return found
}

interface Block {
  readonly labels: readonly string[]
  readonly body: HclObject
}

/** Labels may be written as nested objects (JSON), blocks as a list. */
function unfold(labels: readonly string[], value: HclValue, item: HclItem): Block[] {
  if (isHclList(value)) return value.flatMap((element) => unfold(labels, element, item))
  if (!isHclObject(value)) throw new HclError('"audit" must be a block', item)
  const isBody = value.items.every(({ key, labels: own }) => known.includes(key) && own.length === 0)
  if (labels.length >= 2 || (isBody && (labels.length > 0 || value.items.length > 0))) return [{ labels, body: value }]
  return value.items.flatMap((member) => unfold([...labels, member.key, ...member.labels], member.value, item))
}

function readStanza(labels: readonly string[], body: HclObject, at: HclItem): AuditStanza {
  const unknown = body.items.find(({ key }) => !known.includes(key))
  if (unknown) throw new HclError(`unknown key "${unknown.key}" in audit; accepted are ${known.join(', ')}`, unknown)
  if (labels.length > 2) throw new HclError('audit takes two labels: its type and its path', at)
  const settings = members(body)
  const type = textOf(settings['type']) ?? labels[0] ?? ''
  if (!types.includes(type)) throw new HclError(`audit "${type}" is not supported: ${types.join(', ')} are`, at)
  const path = (textOf(settings['path']) ?? labels[1] ?? labels[0] ?? type).replace(/^\/+|\/+$/g, '')
  if (path === '') throw new HclError('audit needs a path', at)
  const options = settings['options']
  return {
    type,
    path: `${path}/`,
    description: textOf(settings['description']) ?? '',
    options: options ? optionsOf(options) : {},
    local: boolOf(settings['local']),
  }
}

function optionsOf(item: HclItem): Record<string, string> {
  const value = isHclList(item.value) && item.value.length === 1 ? item.value[0] : item.value
  if (value === undefined || value === null || !isHclObject(value))
    throw new HclError('"options" must be a block', item)
  return Object.fromEntries(
    Object.entries(members(value)).map(([name, option]) => {
      const text = plainText(option.value)
      // HCL's 0640 is the number 416, which read as octal would be 0416: a file for everyone.
      if (name === 'mode' && typeof option.value !== 'string')
        throw new HclError('"mode" must be an octal mode in quotes, such as "0640"', option)
      if (text === undefined) throw new HclError(`"${name}" must be a string, a number, true or false`, option)
      return [name, text]
    }),
  )
}

function plainText(value: HclValue): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' || value instanceof JsonNumber
    ? String(value)
    : undefined
}

function textOf(item: HclItem | undefined): string | undefined {
  if (!item) return undefined
  if (typeof item.value !== 'string') throw new HclError(`"${item.key}" must be a string`, item)
  return item.value
}

function boolOf(item: HclItem | undefined): boolean {
  if (!item) return false
  if (typeof item.value !== 'boolean') throw new HclError(`"${item.key}" must be true or false`, item)
  return item.value
}
