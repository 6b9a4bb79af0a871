/** The Kubernetes client: `KubeClient` over a transport. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { parseList, parseObject } from './answers.ts'
import type { ResourceType, WriteOptions } from './client.ts'
import { ApiError, type KubeClient, type KubeList, type KubeObject, type ListOptions, type Patch } from './client.ts'
import type { KubeConfig } from './kubeconfig.ts'
import { collectionPath, type Query, resourcePath, selectors, withQuery } from './resource-path.ts'
import { Requester } from './transport/requester.ts'
import { type KubeTransport, readText } from './transport/transport.ts'
import { createUndiciTransport } from './transport/undici-transport.ts'
import { watchForever } from './watch.ts'

export interface KubeClientOptions {
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Sent as User-Agent; "coffer" if absent. */
  readonly userAgent?: string
}

const patchTypes: Readonly<Record<Patch['kind'], string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}
const pageSize = '500'
const json = 'application/json'

/**
 * Refusals of the server are thrown as ApiError, no answer as Unreachable. Reads are tried again (four times within a
 * second) after 5xx and lost connections; every call waits and tries again when the server says so (429 or 503 with Retry-After).
 */
export function createKubeClient(
  options: KubeClientOptions & ({ readonly config: KubeConfig } | { readonly transport: KubeTransport }),
): KubeClient {
  const transport = 'transport' in options ? options.transport : createUndiciTransport(options.config)
  const userAgent = options.userAgent ?? 'coffer'
  const requester = new Requester({ transport, clock: options.clock, random: options.random, userAgent })
  return { ...reads(requester, options), ...writes(requester), ...rest(requester, transport) }
}

type Reads = Pick<KubeClient, 'get' | 'list' | 'watch'>
type Writes = Pick<KubeClient, 'create' | 'update' | 'patch' | 'apply' | 'delete' | 'post'>

function reads(requester: Requester, options: KubeClientOptions): Reads {
  const list: Reads['list'] = (type, listOptions, signal) => listAll(requester, type, listOptions ?? {}, signal)
  return {
    async get<T extends KubeObject>(
      type: ResourceType<T>,
      ref: { namespace?: string; name: string },
      signal?: AbortSignal,
    ) {
      try {
        return parseObject<T>(await requester.text({ method: 'GET', path: resourcePath(type, ref), signal }))
      } catch (error) {
        if (error instanceof ApiError && error.status === 404 && error.reason === 'NotFound') return undefined
        throw error
      }
    },
    list,
    watch: (type, listOptions, signal) =>
      watchForever(
        {
          type,
          options: listOptions,
          open: (path, opened) => requester.open(path, opened),
          list: (listed) => list(type, listOptions, listed),
          clock: options.clock,
          random: options.random,
          log: options.log,
        },
        signal,
      ),
  }
}

async function listAll<T extends KubeObject>(
  requester: Requester,
  type: ResourceType<T>,
  options: ListOptions,
  signal?: AbortSignal,
): Promise<KubeList<T>> {
  const path = collectionPath(type, options)
  const page = async (query: Query) =>
    parseList(
      await requester.text({ method: 'GET', path: withQuery(path, { ...selectors(options), ...query }), signal }),
      type,
    )
  let answer = await page({ limit: pageSize })
  const items = [...answer.items]
  while (answer.continueToken !== undefined) {
    try {
      answer = await page({ limit: pageSize, continue: answer.continueToken })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410) throw error
      // The snapshot that the pages came from is gone: all in one answer has no such limit.
      return page({})
    }
    items.push(...answer.items)
  }
  return { items, resourceVersion: answer.resourceVersion }
}

function writes(requester: Requester): Writes {
  const write = async <T extends KubeObject>(
    method: string,
    path: string,
    options: (WriteOptions & { force?: boolean }) | undefined,
    body: object,
    contentType = json,
  ): Promise<T> => {
    const query = {
      fieldManager: options?.fieldManager,
      dryRun: options?.dryRun ? 'All' : undefined,
      force: options?.force ? 'true' : undefined,
    }
    return parseObject<T>(
      await requester.text({ method, path: withQuery(path, query), body: JSON.stringify(body), contentType }),
    )
  }
  return {
    create: (type, object, options) =>
      write('POST', resourcePath(type, { namespace: object.metadata.namespace }), options, object),
    update: (type, object, options) =>
      write('PUT', resourcePath(type, named(object), options?.subresource), options, object),
    patch: (type, ref, patch, options) =>
      write('PATCH', resourcePath(type, ref, options?.subresource), options, patch.body, patchTypes[patch.kind]),
    apply: (type, object, options) => {
      const path = resourcePath(type, named(object), options.subresource)
      return write('PATCH', path, options, object, 'application/apply-patch+yaml')
    },
    async delete(type, ref, options = {}) {
      const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options
      const preconditions = uid || resourceVersion ? { uid, resourceVersion } : undefined
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, gracePeriodSeconds, propagationPolicy }
      try {
        await requester.text({
          method: 'DELETE',
          path: resourcePath(type, ref),
          body: JSON.stringify(body),
          contentType: json,
        })
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error
      }
    },
    post: (type, ref, subresource, body) =>
      write('POST', resourcePath(type, ref ?? { namespace: body.metadata.namespace }, subresource), undefined, body),
  }
}

function rest(requester: Requester, transport: KubeTransport): Pick<KubeClient, 'raw' | 'close'> {
  return {
    async raw(request) {
      const response = await requester.send(request)
      return { status: response.status, body: await readText(response.body) }
    },
    close: async () => transport.close?.(),
  }
}

function named(object: KubeObject): { namespace?: string; name: string } {
  const { name, namespace } = object.metadata
  if (!name) throw new Error(`a ${object.kind} needs a name`)
  return namespace ? { namespace, name } : { name }
}
