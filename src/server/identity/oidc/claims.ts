/** A role's template -> claims: JSON in which `{{identity.entity.name}}` and the like stand for whole values. */
import { parseVaultDuration } from '../../../lib/duration.ts'
import { Refusal } from '../../contracts/request.ts'
import type { EntityRow } from '../entities/entity-row.ts'
import { entityValue } from '../standing.ts'

export interface Subject {
  readonly entity: EntityRow
  /** Direct and inherited. */
  readonly groups: readonly { readonly id: string; readonly name: string }[]
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What every token says itself. */
const restricted = ['iat', 'aud', 'exp', 'iss', 'sub', 'namespace', 'nonce', 'auth_time', 'at_hash', 'c_hash']
const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g
const maxBytes = 64 * 1024

/** Of tokens that are no person's. */
export const nobody: Subject = {
  entity: {
    format: 1,
    id: '',
    name: '',
    policies: [],
    metadata: {},
    disabled: false,
    aliases: [],
    mergedIds: [],
    createdAt: 0,
    updatedAt: 0,
  },
  groups: [],
  now: 0,
}

/** The template in clear; it may come as base64. Refusal 400 when it makes no claims. */
export function checkTemplate(given: string): string {
  const text = decode(given)
  if (text === '') return text
  if (text.length > maxBytes) throw new Refusal(400, `template is too long: the limit is ${maxBytes} characters`)
  const claims = fillClaims(text, nobody)
  if (!claims) throw new Refusal(400, 'error parsing template JSON: it must be an object once its {{…}} are values')
  const taken = Object.keys(claims).find((key) => restricted.includes(key))
  if (taken !== undefined) {
    throw new Refusal(
      400,
      `top level key ${JSON.stringify(taken)} not allowed. Restricted keys: ${restricted.join(', ')}`,
    )
  }
  for (const [, name = ''] of text.matchAll(placeholder)) {
    if (!isKnown(name))
      throw new Refusal(400, `error parsing template: ${JSON.stringify(name)} is nothing that a template can show`)
  }
  return text
}

/** Undefined when it is not an object. Values are JSON, never text that could end a string. */
export function fillClaims(template: string, subject: Subject): Record<string, unknown> | undefined {
  if (template === '') return {}
  const text = template.replace(placeholder, (_, name: string) => JSON.stringify(shown(name, subject) ?? ''))
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function isKnown(name: string): boolean {
  return (
    /^identity\.entity\.(id|name|metadata(\..+)?|groups\.(ids|names)|aliases\.[^.]+\.(id|name|(custom_)?metadata(\..+)?))$/.test(
      name,
    ) ||
    name === 'time.now' ||
    offset(name) !== undefined
  )
}

function shown(name: string, { entity, groups, now }: Subject): unknown {
  const seconds = Math.floor(now / 1000)
  if (name === 'time.now') return seconds
  const ms = offset(name)
  if (ms !== undefined) return seconds + Math.trunc(ms / 1000)
  if (name === 'identity.entity.metadata') return entity.metadata
  if (name === 'identity.entity.groups.ids') return groups.map((group) => group.id)
  if (name === 'identity.entity.groups.names') return groups.map((group) => group.name)
  const map = /^identity\.entity\.aliases\.([^.]+)\.(metadata|custom_metadata)$/.exec(name)
  if (map) {
    const alias = entity.aliases.find((one) => one.mountAccessor === map[1])
    return (map[2] === 'metadata' ? alias?.metadata : alias?.customMetadata) ?? {}
  }
  return name.startsWith('identity.entity.') ? entityValue(entity, name.slice('identity.entity.'.length)) : undefined
}

function offset(name: string): number | undefined {
  const found = /^time\.now\.(plus|minus)\.(.+)$/.exec(name)
  const ms = found && parseVaultDuration(found[2] ?? '')
  return found && ms !== undefined && ms !== null ? (found[1] === 'plus' ? ms : -ms) : undefined
}

/** Templates are JSON, which never looks like base64. */
function decode(text: string): string {
  const compact = text.replace(/\s/g, '')
  const base64 = compact !== '' && compact.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(compact)
  return base64 ? Buffer.from(compact, 'base64').toString('utf8') : text
}
