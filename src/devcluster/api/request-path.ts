/** What a path of the API asks for. */
import { badRequest } from './status.ts'

export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly namespace: string | undefined
  readonly plural: string
  readonly name: string | undefined
  readonly subresource: string | undefined
  /** There is more below the subresource than anything here serves. */
  readonly deeper: boolean
}

/** Undefined: not a path of objects. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const steps = decodeSteps(path)
  const [root, ...rest] = steps
  if (root === 'api') return resourceIn('', rest[0], rest.slice(1))
  if (root === 'apis' && rest[0]) return resourceIn(rest[0], rest[1], rest.slice(2))
  return undefined
}

/** An encoded slash is a slash, for what is allowed and for what is answered alike. */
function decodeSteps(path: string): string[] {
  try {
    return decodeURIComponent(path)
      .split('/')
      .filter((step) => step !== '')
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
  if (plural === undefined) return undefined
  const namespace = inNamespace ? second : undefined
  return { group, version, namespace, plural, name, subresource: below[0], deeper: below.length > 1 }
}

const namespaceSubresources = ['status', 'finalize']
