/** Cells of the tables that `kubectl get` prints. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Column } from '../resource.ts'
import { at, listAt, textAt } from '../tree.ts'

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: (object) => object.metadata.name ?? '',
}

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'The time since the object was created.',
  cell: (object, nowMs) => age(object.metadata.creationTimestamp, nowMs),
}

export function column(
  name: string,
  type: string,
  cell: (object: KubeObject, nowMs: number) => unknown,
  priority = 0,
): Column {
  return { name, type, cell, priority, description: '' }
}

export const textColumn = (name: string, ...path: readonly string[]): Column =>
  column(name, 'string', (object) => textAt(object, ...path) ?? '')

export const countColumn = (name: string, ...path: readonly string[]): Column =>
  column(name, 'integer', (object) => at(object, ...path) ?? 0)

/** A time as its distance from now; "<unknown>" when there is none. */
export function age(timestamp: unknown, nowMs: number): string {
  const then = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN
  return Number.isNaN(then) ? '<unknown>' : humanDuration(nowMs - then)
}

/** As k8s.io/apimachinery/pkg/util/duration.HumanDuration: two units where the first is small. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return pair(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`
}

const pair = (big: number, bigUnit: string, small: number, smallUnit: string) =>
  small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`

/** Containers and images of a pod template, for wide tables. */
export const templateColumns: readonly Column[] = [
  column('Containers', 'string', (object) => containerTexts(object, 'name'), 1),
  column('Images', 'string', (object) => containerTexts(object, 'image'), 1),
  column('Selector', 'string', (object) => selectorText(at(object, 'spec', 'selector')), 1),
]

function containerTexts(object: KubeObject, member: string): string {
  return listAt(object, 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, member) ?? '')
    .join(',')
}

/** A label selector as kubectl writes one. */
export function selectorText(selector: unknown): string {
  const labels = Object.entries(at(selector, 'matchLabels') ?? {}).map(([key, value]) => `${key}=${String(value)}`)
  const more = listAt(selector, 'matchExpressions').map((expression) => {
    const key = textAt(expression, 'key') ?? ''
    const values = listAt(expression, 'values').join(',')
    switch (textAt(expression, 'operator')) {
      case 'In':
        return `${key} in (${values})`
      case 'NotIn':
        return `${key} notin (${values})`
      case 'DoesNotExist':
        return `!${key}`
      default:
        return key
    }
  })
  const text = [...labels, ...more].join(',')
  return text === '' ? '<none>' : text
}
