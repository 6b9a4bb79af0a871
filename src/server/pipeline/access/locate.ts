/** Which namespace: the header's path and the request's, joined. */
import { Refusal } from '../../contracts/request.ts'
import type { NamespaceView } from '../../namespaces/namespace-view.ts'
import type { Exchange } from '../exchange.ts'
import type { NounsOf } from './namespace-nouns.ts'

/** False: the header names no namespace of this view. */
export function locate(x: Exchange, view: NamespaceView, nounsOf: NounsOf): boolean {
  const { namespace: header, path } = x.incoming
  const asked = header === '' || header === 'root' ? '' : `${header}/`
  const { namespace, rest } = view.locate(asked + path)
  if (namespace.path.length < asked.length) return false
  x.tree = view
  x.nouns = nounsOf(namespace)
  x.path = rest
  return true
}

/** Refuses (503) what a lock of the namespace keeps out; sys/namespaces can still unlock it from above. */
export function refuseLocked(x: Exchange, view: NamespaceView): void {
  const namespace = x.nouns?.info
  const locked = namespace && view.lockOf(namespace)
  if (!locked) return
  const unlocking = x.path.startsWith('sys/namespaces/api-lock/unlock') && locked.path === namespace.path
  if (unlocking) return
  throw new Refusal(
    503,
    `API access to this namespace has been locked by an administrator - "${locked.path}" must be unlocked to gain access`,
  )
}
