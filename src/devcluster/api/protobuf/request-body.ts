/** A request body in Kubernetes' protobuf envelope ("k8s\0" and a runtime.Unknown), as the JSON that says the same. */
import { badRequest, StatusError } from '../status.ts'
import type { Tree } from '../tree.ts'
import { FieldTable } from './field-table.ts'
import { MessageDecoder } from './message-decoder.ts'
import { WireProblem, wireFields } from './wire-reader.ts'

export const protobufType = 'application/vnd.kubernetes.protobuf'

export interface ExpectedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const magic = Buffer.from('k8s\0')

interface Envelope {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Uint8Array
}

/** `expected` is what the body is taken for where it does not say itself. */
export function jsonOfProtobuf(body: Uint8Array, expected: ExpectedKind): string {
  const envelope = openEnvelope(body, expected)
  const { apiVersion, kind } = envelope
  const asked = `${kind} in version "${versionOf(apiVersion)}" cannot be handled as a ${expected.kind}`
  const table = new FieldTable()
  const message = messageName(table, apiVersion, kind)
  if (!message) throw badRequest(`${asked}: no kind "${kind}" is registered for version "${apiVersion}" in scheme`)
  try {
    const content: Tree = new MessageDecoder(table).decode(message, envelope.raw)
    return JSON.stringify({ kind, apiVersion, ...content })
  } catch (error) {
    if (error instanceof WireProblem) throw badRequest(`${asked}: ${error.message}`)
    throw error
  }
}

function openEnvelope(body: Uint8Array, expected: ExpectedKind): Envelope {
  const data = Buffer.from(body)
  const unrecognized = (why: string) =>
    badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${summary(data)})`)
  if (data.length === 0) throw unrecognized('empty data')
  if (!data.subarray(0, magic.length).equals(magic))
    throw unrecognized(
      `provided data does not appear to be a protobuf message, expected prefix [${[...magic].join(' ')}]`,
    )
  if (data.length === magic.length) throw unrecognized('empty body')
  try {
    return readEnvelope(data.subarray(magic.length), expected)
  } catch (error) {
    if (error instanceof WireProblem) throw unrecognized(error.message)
    throw error
  }
}

/** runtime.Unknown: 1 typeMeta (1 apiVersion, 2 kind), 2 raw, 3 contentEncoding, 4 contentType. */
function readEnvelope(bytes: Uint8Array, expected: ExpectedKind): Envelope {
  const outer = lengthsOf(bytes)
  const type = lengthsOf(outer.get(1) ?? new Uint8Array())
  const text = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString('utf8')
  const encoding = text(outer.get(3))
  if (encoding !== '')
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the content encoding ${encoding} inside a protobuf envelope is not read here; send it without one`,
    )
  const { group, version } = expected
  return {
    apiVersion: text(type.get(1)) || (group === '' ? version : `${group}/${version}`),
    kind: text(type.get(2)) || expected.kind,
    raw: outer.get(2) ?? new Uint8Array(),
  }
}

function lengthsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const out = new Map<number, Uint8Array>()
  for (const { number, value } of wireFields(bytes)) if (value.type === 2) out.set(number, value.bytes)
  return out
}

const versionOf = (apiVersion: string) => apiVersion.slice(apiVersion.indexOf('/') + 1)

/** The options of a deletion are sent in the name of whatever group is asked. */
function messageName(table: FieldTable, apiVersion: string, kind: string): string | undefined {
  const slash = apiVersion.indexOf('/')
  const group = slash < 0 ? 'core' : (apiVersion.slice(0, slash).split('.')[0] ?? '')
  const names = versionOf(apiVersion) === 'v1' ? [`${group}.${kind}`] : []
  return [...names, ...(kind === 'DeleteOptions' ? ['meta.DeleteOptions'] : [])].find((name) => table.get(name))
}

/** As the API server shows bytes: the first thirty. */
function summary(data: Buffer): string {
  if (data.length === 0) return '<empty>'
  return data.length > 30 ? `${data.subarray(0, 30).toString('hex')} ...` : data.toString('hex')
}
