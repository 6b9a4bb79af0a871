import { compareUtf8 } from '../../lib/json/stringify.ts'
import type { JsonObject } from '../../lib/json/value.ts'
import { isObject, text } from '../../sdk/envelope.ts'
import type { CommandCall } from '../command.ts'
import { goValue } from './go-value.ts'
import { line, printDocument } from './secret.ts'
import { tableOf } from './table.ts'

/** One column: its head and how a mount's cell is made. */
export type Column = readonly [string, (mount: JsonObject) => string]

const configOf = (mount: JsonObject): JsonObject => (isObject(mount['config']) ? mount['config'] : {})

export const simpleColumns: readonly Column[] = [
  ['Type', (mount) => text(mount['type'])],
  ['Accessor', (mount) => text(mount['accessor'])],
  ['Description', (mount) => text(mount['description'])],
]

export const detailedColumns: readonly Column[] = [
  ['Type', (mount) => text(mount['type'])],
  ['Accessor', (mount) => text(mount['accessor'])],
  ['Default TTL', (mount) => systemTtl(configOf(mount)['default_lease_ttl'])],
  ['Max TTL', (mount) => systemTtl(configOf(mount)['max_lease_ttl'])],
  ['Options', (mount) => goValue(isObject(mount['options']) ? mount['options'] : {})],
  ['Description', (mount) => text(mount['description'])],
  ['UUID', (mount) => text(mount['uuid'])],
  ['Version', (mount) => text(mount['plugin_version'])],
  ['Running Version', (mount) => text(mount['running_plugin_version'])],
]

/** sys/mounts, sys/auth or sys/audit: one row for each path. */
export function printMounts(call: CommandCall, data: JsonObject, columns: readonly Column[]): void {
  if (call.session.format() !== 'table') {
    printDocument(call, data)
    return
  }
  const paths = Object.keys(data).sort(compareUtf8)
  const rows = paths.flatMap((path) => {
    const mount = data[path]
    return isObject(mount) ? [[path, ...columns.map(([, cell]) => cell(mount))]] : []
  })
  line(call, tableOf([['Path', ...columns.map(([head]) => head)], ...rows]))
}

const systemTtl = (value: unknown) => (typeof value === 'number' && value > 0 ? String(value) : 'system')
