import type { JsonObject } from '../lib/json/value.ts'
import type { FlagSpecs, Flags } from './flags.ts'

/** What secrets enable and auth enable say about the new mount. */
export const mountFlags: FlagSpecs = {
  path: { kind: 'text', about: 'Where it is mounted; default: its type.' },
  description: { kind: 'text', about: 'Text for people.' },
  version: { kind: 'int', about: 'Version of the key/value engine: 1 or 2.' },
  options: { kind: 'map', about: 'Another option, name=value; may be repeated.' },
  'default-lease-ttl': { kind: 'duration', about: 'Lease or token life when none is asked for.' },
  'max-lease-ttl': { kind: 'duration', about: 'The longest life.' },
  'listing-visibility': { kind: 'text', about: '"unauth" shows the mount to everybody.' },
  'token-type': { kind: 'text', about: 'Kind of tokens that an auth method gives.' },
  local: { kind: 'bool', about: 'Not replicated.' },
  'seal-wrap': { kind: 'bool', about: 'Encrypt critical values with the seal too.' },
}

const { path: _, local: __, 'seal-wrap': ___, ...tunable } = mountFlags

/** What secrets tune and auth tune can change. */
export const tuneFlags: FlagSpecs = {
  ...tunable,
  'audit-non-hmac-request-keys': { kind: 'list', about: 'A request key that audit shows in clear; may be repeated.' },
  'audit-non-hmac-response-keys': { kind: 'list', about: 'A response key that audit shows in clear; may be repeated.' },
  'passthrough-request-headers': { kind: 'list', about: 'A header that the engine sees; may be repeated.' },
  'allowed-response-headers': { kind: 'list', about: 'A header that the engine may set; may be repeated.' },
}

/** Only what was given. */
export function tuneBody(flags: Flags): JsonObject {
  const version = flags.text('version')
  const options = { ...flags.map('options'), ...(version !== undefined && { version }) }
  const texts = ['description', 'default-lease-ttl', 'max-lease-ttl', 'listing-visibility', 'token-type']
  const lists = Object.keys(tuneFlags).filter((name) => tuneFlags[name]?.kind === 'list')
  const given = [...texts, ...lists].filter((name) => flags.has(name))
  const members = given.map((name) => [
    name.replaceAll('-', '_'),
    lists.includes(name) ? flags.list(name) : (flags.text(name) ?? ''),
  ])
  return { ...Object.fromEntries(members), ...(Object.keys(options).length > 0 && { options }) }
}

export function mountBody(type: string, flags: Flags): JsonObject {
  const version = flags.text('version')
  const options = { ...flags.map('options'), ...(version !== undefined && { version }) }
  const config = Object.fromEntries(
    [
      ['default_lease_ttl', flags.text('default-lease-ttl')],
      ['max_lease_ttl', flags.text('max-lease-ttl')],
      ['listing_visibility', flags.text('listing-visibility')],
      ['token_type', flags.text('token-type')],
    ].filter(([, value]) => value !== undefined),
  )
  return {
    type,
    description: flags.text('description') ?? '',
    local: flags.on('local'),
    seal_wrap: flags.on('seal-wrap'),
    config,
    ...(Object.keys(options).length > 0 && { options }),
  }
}
