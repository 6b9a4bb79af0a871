/** One line of a watch, as the API server sends it. */
import { isObject, isRecord, statusError } from '../answers.ts'
import type { ApiError, KubeObject } from '../client.ts'

export type Frame<T> =
  | { readonly type: 'upserted' | 'deleted'; readonly object: T }
  | { readonly type: 'bookmark'; readonly resourceVersion: string | undefined; readonly initialEnd: boolean }
  | { readonly type: 'error'; readonly error: ApiError }

/** Throws on what is no frame: the stream is then out of step and must be opened again. */
export function parseFrame<T extends KubeObject>(line: string): Frame<T> {
  let frame: unknown
  try {
    frame = JSON.parse(line)
  } catch {
    throw new Error('a line of the watch is no JSON')
  }
  if (!isRecord(frame)) throw new Error('a line of the watch is no object')
  const { type, object } = frame
  if (type === 'ERROR') return { type: 'error', error: statusError(object, 500, 'the watch ended with an error') }
  if (!isObject<T>(object)) throw new Error('a line of the watch holds no Kubernetes object')
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'upserted', object }
  if (type === 'DELETED') return { type: 'deleted', object }
  if (type !== 'BOOKMARK') throw new Error('a line of the watch has an unknown type')
  return {
    type: 'bookmark',
    resourceVersion: object.metadata.resourceVersion,
    initialEnd: object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true',
  }
}
