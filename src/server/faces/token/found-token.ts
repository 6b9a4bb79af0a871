import type { FoundToken } from '../../tokens/token-store.ts'
import type { TokenFaceOptions } from './token-face.ts'

type Finder = Pick<TokenFaceOptions, 'tokens' | 'namespace' | 'isBelow'>

/** A token of this namespace or of one below it; others are not there for who asks. */
export async function findToken(options: Finder, token: string): Promise<FoundToken | undefined> {
  return visible(options, await options.tokens.lookup(token))
}

export async function findByAccessor(options: Finder, accessor: string): Promise<FoundToken | undefined> {
  return visible(options, await options.tokens.findByAccessor(accessor))
}

function visible({ namespace, isBelow }: Finder, found: FoundToken | undefined): FoundToken | undefined {
  if (!found) return undefined
  const inside = found.row.namespace === namespace.id || isBelow(namespace.id, found.row.namespace)
  return inside ? found : undefined
}
