import { compareUtf8 } from '../../lib/json/stringify.ts'
import type { Json } from '../../lib/json/value.ts'
import { type Envelope, type MfaRequirement, texts } from '../../sdk/envelope.ts'
import type { CommandCall } from '../command.ts'
import { jsonText, OrderedMembers, type Printable, yamlText } from './documents.ts'
import { goQuoted, goValue, humanSeconds, shownMember } from './go-value.ts'
import { tableOf } from './table.ts'

export function line(call: Pick<CommandCall, 'context'>, text: string): void {
  call.context.stdout.write(`${text}\n`)
}

export function warn(call: Pick<CommandCall, 'context'>, text: string): void {
  call.context.stderr.write(`${text}\n`)
}

/** The whole answer in the format that was asked for; a table's warnings go to stderr. */
export function printSecret(call: CommandCall, envelope: Envelope): void {
  if (call.session.format() === 'table') {
    printWarnings(call, envelope)
    const keys = listedKeys(envelope)
    const rows = keys ? keys.map((key) => [key]) : rowsOf(envelope)
    // An answer may be nothing but its warnings.
    if (rows.length > 0) line(call, tableOf([keys ? ['Keys'] : ['Key', 'Value'], ...rows]))
    return
  }
  printDocument(call, envelopeMembers(envelope))
}

export function printDocument(call: CommandCall, value: Printable): void {
  line(call, call.session.format() === 'yaml' ? yamlText(value) : jsonText(value))
}

export function printWarnings(call: CommandCall, envelope: Envelope): void {
  const { warnings } = envelope
  if (!warnings || warnings.length === 0) return
  warn(call, 'WARNING! The following warnings were returned from Vault:\n')
  for (const warning of warnings) warn(call, `  * ${warning}\n`)
}

/** A table of one object's members, sorted by name. */
export function membersTable(members: Readonly<Record<string, Json | undefined>>): string {
  const keys = Object.keys(members).sort(compareUtf8)
  return tableOf([['Key', 'Value'], ...keys.map((key) => [key, shownMember(key, members[key])])])
}

/** A field's value as text, or undefined: a member of data, or one of the names that the table gives auth and wrapping. */
export function fieldOf(envelope: Envelope, field: string): Json | undefined {
  const special = new Map<string, Json>(
    [...authRows(envelope), ...wrapRows(envelope)].map(([key, value]) => [key, value]),
  )
  if (envelope.auth || envelope.wrap_info) return special.get(field) ?? envelope.data?.[field]
  if (field === 'refresh_interval' && envelope.lease_duration > 0) return humanSeconds(envelope.lease_duration)
  return envelope.data?.[field]
}

/** Raw on a pipe; with a newline on a terminal. */
export function printRaw(call: CommandCall, value: Json): void {
  const { stdout } = call.context
  const format = call.session.format()
  const text = format === 'json' ? jsonText(value) : format === 'yaml' ? yamlText(value) : goValue(value)
  const newline = format !== 'table' || ('isTTY' in stdout && stdout.isTTY === true)
  stdout.write(newline ? `${text}\n` : text)
}

/** -> exit status */
export function printField(call: CommandCall, envelope: Envelope, field: string): number {
  const value = fieldOf(envelope, field)
  if (value === undefined || value === null) {
    warn(call, `Field "${field}" not present in secret`)
    return 1
  }
  printRaw(call, value)
  return 0
}

/** Prints the field that -field names, else all of it. */
export function printAnswer(call: CommandCall, envelope: Envelope): number {
  const field = call.flags.text('field')
  if (field !== undefined) return printField(call, envelope, field)
  printSecret(call, envelope)
  return 0
}

function envelopeMembers(envelope: Envelope): OrderedMembers {
  const { document } = envelope
  return new OrderedMembers([
    ['request_id', envelope.request_id],
    ['lease_id', envelope.lease_id],
    ['lease_duration', envelope.lease_duration],
    ['renewable', envelope.renewable],
    ['data', document['data'] ?? null],
    ['warnings', document['warnings'] ?? null],
    ...(envelope.auth ? [['auth', document['auth']] as const] : []),
    ...(envelope.wrap_info ? [['wrap_info', document['wrap_info']] as const] : []),
    ...(typeof document['mount_type'] === 'string' ? [['mount_type', document['mount_type']] as const] : []),
  ])
}

/** A LIST answer: nothing in data but keys. */
function listedKeys(envelope: Envelope): readonly string[] | undefined {
  const { data } = envelope
  if (!data || Object.keys(data).some((key) => key !== 'keys') || !Array.isArray(data['keys'])) return undefined
  return texts(data['keys'])
}

function rowsOf(envelope: Envelope): string[][] {
  const { data } = envelope
  const rows = [...leaseRows(envelope), ...authRows(envelope), ...wrapRows(envelope)].map(([key, value]) => [
    key,
    value,
  ])
  if (!data) return rows
  const keys = Object.keys(data).sort(compareUtf8)
  return [...rows, ...keys.map((key) => [key, shownMember(key, data[key])])]
}

type Row = readonly [string, string]

function leaseRows(envelope: Envelope): Row[] {
  if (envelope.lease_duration <= 0) return []
  const life = humanSeconds(envelope.lease_duration)
  // KV v1 answers with a duration but no lease: shown as what it means.
  if (envelope.lease_id === '') return [['refresh_interval', life]]
  return [
    ['lease_id', envelope.lease_id],
    ['lease_duration', life],
    ['lease_renewable', String(envelope.renewable)],
  ]
}

function authRows(envelope: Envelope): Row[] {
  const { auth } = envelope
  if (!auth) return []
  if (auth.mfa_requirement && auth.client_token === '') return mfaRows(auth.mfa_requirement)
  const metadata = Object.entries(auth.metadata ?? {}).sort(([a], [b]) => compareUtf8(a, b))
  return [
    ['token', auth.client_token],
    ['token_accessor', auth.accessor],
    ['token_duration', auth.lease_duration === 0 ? '∞' : humanSeconds(auth.lease_duration)],
    ['token_renewable', String(auth.renewable)],
    ['token_policies', goQuoted(auth.token_policies)],
    ['identity_policies', goQuoted(auth.identity_policies)],
    ['policies', goQuoted(auth.policies)],
    ...metadata.map(([key, value]): Row => [`token_meta_${key}`, value]),
  ]
}

/** There is no token yet. */
function mfaRows(requirement: MfaRequirement): Row[] {
  const methods = Object.entries(requirement.mfa_constraints).flatMap(([name, any]) =>
    any.map((method) => ({ ...method, of: `mfa_constraint_${name}_${method.type}` })),
  )
  return [
    ['mfa_request_id', requirement.mfa_request_id],
    ...methods.flatMap(({ of, id, uses_passcode, name }): Row[] => [
      [`${of}_id`, id],
      [`${of}_uses_passcode`, String(uses_passcode)],
      ...(name === '' ? [] : [[`${of}_name`, name] as const]),
    ]),
  ]
}

function wrapRows(envelope: Envelope): Row[] {
  const wrap = envelope.wrap_info
  if (!wrap) return []
  return [
    ['wrapping_token', wrap.token],
    ['wrapping_accessor', wrap.accessor],
    ['wrapping_token_ttl', humanSeconds(wrap.ttl)],
    ['wrapping_token_creation_time', wrap.creation_time],
    ['wrapping_token_creation_path', wrap.creation_path],
    ...(wrap.wrapped_accessor ? [['wrapped_accessor', wrap.wrapped_accessor] as const] : []),
  ]
}
