import { parseList } from '../answers.ts'
import { ApiError, type KubeList, type KubeObject, type ListOptions, type ResourceType } from '../client.ts'
import { collectionPath, type Query, selectors, withQuery } from '../resource-path.ts'
import type { Requester } from '../transport/requester.ts'

export interface Page<T> extends KubeList<T> {
  /** The list begins with this page; what came before, if anything, does not count. */
  readonly first: boolean
}

const limit = '500'

/** A list, page by page. `once`: the first page is asked for once, since the caller tries again itself. */
export async function* listPages<T extends KubeObject>(
  requester: Requester,
  type: ResourceType<T>,
  options: ListOptions,
  { signal, once = false }: { readonly signal?: AbortSignal; readonly once?: boolean } = {},
): AsyncGenerator<Page<T>, void, undefined> {
  const path = collectionPath(type, options)
  const page = async (query: Query, onlyOnce = false) => {
    const asked = withQuery(path, { ...selectors(options), ...query })
    return parseList(await requester.text({ method: 'GET', path: asked, signal, long: true, once: onlyOnce }), type)
  }
  let answer = await page({ limit }, once)
  yield { ...answer, first: true }
  while (answer.continueToken !== undefined) {
    try {
      answer = await page({ limit, continue: answer.continueToken })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410) throw error
      // The snapshot that the pages came from is gone: all in one answer has no such limit.
      yield { ...(await page({})), first: true }
      return
    }
    yield { ...answer, first: false }
  }
}
