/** sys/audit and sys/audit-hash. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { AuditBroker } from '../../../audit/broker/audit-broker.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { operation, Refusal, type Route } from '../../../contracts/request.ts'

const enableFields = {
  type: { kind: 'string', description: 'file, socket, syslog or http', default: '', required: true },
  description: { kind: 'string', description: 'For people', default: '' },
  options: { kind: 'stringMap', description: 'Of the device' },
  local: { kind: 'bool', description: 'Not replicated', default: false },
} as const satisfies Fields

export function auditDeviceRoutes(broker: AuditBroker): Route[] {
  const list = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      const devices = await broker.list()
      const data: JsonObject = Object.fromEntries(devices.map((device) => [device.path, { ...device }]))
      return { kind: 'data', data, topLevel: true }
    },
  })
  const enable = operation({
    input: enableFields,
    access: 'sudo',
    namespaces: 'root',
    handle: async (call) => {
      const { type, description, options, local } = call.input
      if (type === '') throw new Refusal(400, 'backend type must be specified as a string')
      await broker.enable(call.params['path'] ?? '', { type, description, options: options ?? {}, local })
      return { kind: 'none' }
    },
  })
  const disable = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async (call) => {
      await broker.disable(call.params['path'] ?? '')
      return { kind: 'none' }
    },
  })
  const hash = operation({
    input: { input: { kind: 'string', description: 'The value', default: '', required: true } },
    effect: 'none',
    namespaces: 'root',
    handle: async (call) => {
      if (call.input.input === '') throw new Refusal(400, 'the "input" parameter is empty')
      const text = await broker.hash(call.params['path'] ?? '', call.input.input)
      return { kind: 'data', data: { hash: text }, topLevel: true }
    },
  })
  return [
    { path: 'audit', summary: 'Lists the audit devices.', on: { read: list } },
    {
      path: 'audit/{path...}',
      summary: 'Enables and disables an audit device.',
      on: { update: enable, delete: disable },
    },
    { path: 'audit-hash/{path...}', summary: 'What a device writes for a value.', on: { update: hash } },
  ]
}
