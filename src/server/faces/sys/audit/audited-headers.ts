/** sys/config/auditing/request-headers: which request headers audit lines record. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { AuditBroker } from '../../../audit/broker/audit-broker.ts'
import { operation, Refusal, type Route } from '../../../contracts/request.ts'

/** The characters of a header's name (RFC 9110, token). */
const name = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/
/** Headers that are credentials: recorded in clear they would be in every line. */
const secret = ['x-vault-token', 'authorization', 'cookie', 'proxy-authorization']

export function auditedHeaderRoutes(broker: AuditBroker): Route[] {
  const list = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      const found = Object.entries(await broker.headers())
      const headers: JsonObject = Object.fromEntries(found.map(([header, hmac]) => [header, { hmac }]))
      return { kind: 'data', data: { headers }, topLevel: true }
    },
  })
  const read = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async (call) => {
      const header = call.params['header'] ?? ''
      const headers = await broker.headers()
      const known = header.toLowerCase()
      if (!Object.hasOwn(headers, known)) throw new Refusal(400, 'Could not find header in config')
      return { kind: 'data', data: { [header]: { hmac: headers[known] === true } }, topLevel: true }
    },
  })
  const write = operation({
    input: { hmac: { kind: 'bool', description: 'Its values are hashed', default: false } },
    access: 'sudo',
    namespaces: 'root',
    handle: async (call) => {
      const header = call.params['header'] ?? ''
      if (!name.test(header))
        throw new Refusal(400, 'the name of a header has letters, digits and signs such as "-", at most 256')
      if (!call.input.hmac && secret.includes(header.toLowerCase())) {
        throw new Refusal(400, `the header ${header} carries credentials: it can be audited with hmac=true only`)
      }
      await broker.setHeader(header, call.input.hmac)
      return { kind: 'none' }
    },
  })
  const remove = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async (call) => {
      await broker.setHeader(call.params['header'] ?? '', undefined)
      return { kind: 'none' }
    },
  })
  const path = 'config/auditing/request-headers'
  return [
    { path, summary: 'The request headers that are audited.', on: { read: list } },
    { path: `${path}/{header}`, summary: 'One audited request header.', on: { read, update: write, delete: remove } },
  ]
}
