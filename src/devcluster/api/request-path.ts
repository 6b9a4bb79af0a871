/** What a path of the API asks for. */
import { badRequest } from './status.ts'

export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly namespace: string | undefined
  readonly plural: string
  readonly name: string | undefined
  readonly subresource: string | undefined
}

/** Undefined: not a path of objects. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const steps = decodeSteps(path)
  const [root, ...rest] = steps
  if (root === 'api') return resourceIn('', rest[0], rest.slice(1))
  if (root === 'apis' && rest[0]) return resourceIn(rest[0], rest[1], rest.slice(2))
  return undefined
}

function decodeSteps(path: string): string[] {
  try {
    return path
      .split('/')
      .filter((step) => step !== '')
      .map(decodeURIComponent)
  } catch {
    throw badRequest('the path is not valid percent-encoding')
  }
}

function resourceIn(group: string, version: string | undefined, steps: readonly string[]): ResourcePath | undefined {
  const [first, second, third] = steps
  if (!version || first === undefined) return undefined
  // `namespaces/x/status` is about the namespace; `namespaces/x/pods` about what is in it.
  const inNamespace = first === 'namespaces' && third !== undefined && !namespaceSubresources.includes(third)
  const [plural, name, ...below] = inNamespace ? steps.slice(2) : steps
  if (plural === undefined || below.length > 1) return undefined
  return { group, version, namespace: inNamespace ? second : undefined, plural, name, subresource: below[0] }
}

const namespaceSubresources = ['status', 'finalize']
