/** Lists, page by page, each page of the same moment. */
import type { KubeObject } from '../../../../kube/client.ts'
import { externalOf } from '../../resource.ts'
import { badRequest, expired } from '../../status.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import type { RequestContext } from '../context.ts'
import { parseContinueToken, printContinueToken } from './continue-token.ts'
import { type ListOptions, parseVersion, readListOptions, tooLargeVersion, versionWords } from './list-options.ts'

export interface ObjectList {
  readonly items: readonly KubeObject[]
  readonly version: string
  readonly continueToken?: string
  readonly remaining?: number
}

interface Page {
  readonly version: number
  readonly limit: number
  /** The key of the first item; all when empty. */
  readonly start: string
}

export function listObjects(store: ObjectStore, context: RequestContext): ObjectList {
  const { resource, namespace } = context
  const options = readListOptions(context)
  const page = pageOf(store, options)
  const all = store.listAt(resource.collection, page.version)
  if (!all)
    throw page.start === '' ? expired('The resourceVersion for the provided list is too old.') : tooOldPage(page)
  const keyOf = (object: KubeObject) =>
    namespace === undefined && resource.namespaced
      ? `${object.metadata.namespace}/${object.metadata.name}`
      : `/${object.metadata.name}`
  const inScope = (object: KubeObject) => namespace === undefined || object.metadata.namespace === namespace
  const ahead = all
    .map((stored) => externalOf(resource, stored))
    .filter((object) => inScope(object) && keyOf(object) >= page.start)
  const rest = ahead.filter((object) => options.filter.matches(object))
  const items = page.limit > 0 ? rest.slice(0, page.limit) : rest
  const last = items.at(-1)
  const version = String(page.version)
  // A full page ends there, whether or not what comes after it fits the selectors.
  const isWhole = items.length < page.limit || page.limit <= 0 || last === ahead.at(-1)
  if (isWhole || !last || namesOne.test(context.query.get('fieldSelector') ?? '')) return { items, version }
  return {
    items,
    version,
    continueToken: printContinueToken({ version: page.version, start: `${keyOf(last)}\u0000` }),
    ...(options.filter.all ? { remaining: rest.length - items.length } : {}),
  }
}

/** A selector of one name finds one object, and nothing comes after it. */
const namesOne = /(^|,)metadata\.name==?[^=]/

function pageOf(store: ObjectStore, options: ListOptions): Page {
  const { version: asked, match, limit } = options
  if (options.continueToken !== '') {
    if (asked !== '' && asked !== '0')
      throw badRequest('specifying resource version is not allowed when using continue')
    const { version, start } = parseContinueToken(options.continueToken)
    return { version: version < 0 ? store.version : version, limit, start }
  }
  const version = asked === '' ? 0 : parseVersion(asked)
  if (version === undefined) throw badRequest(`invalid resource version: ${versionWords(asked)}`)
  if (version > store.version) throw tooLargeVersion(version, store.version)
  // A limit makes an exact version of one that stands alone; of whatever is at hand all is given.
  const exact = match === 'Exact' || (match === '' && limit > 0 && version > 0)
  return { version: exact ? version : store.version, limit: asked === '0' ? 0 : limit, start: '' }
}

const tooOldWords =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

const tooOldPage = ({ start }: Page) => expired(tooOldWords, { continue: printContinueToken({ version: -1, start }) })
