/** The Kubernetes client: `KubeClient` over a transport. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { parseObject } from './answers.ts'
import type { ResourceType, WriteOptions } from './client.ts'
import { ApiError, type KubeClient, type KubeObject, type ListOptions, type Patch } from './client.ts'
import type { KubeConfig } from './kubeconfig.ts'
import { resourcePath, withQuery } from './resource-path.ts'
import { Requester } from './transport/requester.ts'
import { defaultTimings, type Timings } from './transport/timings.ts'
import type { KubeTransport } from './transport/transport.ts'
import { createUndiciTransport } from './transport/undici-transport.ts'
import { listPages } from './watch/pages.ts'
import { watchForever } from './watch.ts'

export interface KubeClientOptions {
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Sent as User-Agent; "coffer" if absent. */
  readonly userAgent?: string
  /** Those that are given replace the usual ones. */
  readonly timings?: Partial<Timings>
}

const patchTypes: Readonly<Record<Patch['kind'], string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}
const json = 'application/json'

/** See `KubeClient` for what it throws and what it tries again. */
export function createKubeClient(
  options: KubeClientOptions & ({ readonly config: KubeConfig } | { readonly transport: KubeTransport }),
): KubeClient {
  const { clock, random, userAgent = 'coffer' } = options
  const timings = { ...defaultTimings, ...options.timings }
  const transport =
    'transport' in options ? options.transport : createUndiciTransport({ ...options.config, ...timings })
  const requester = new Requester({ transport, clock, random, userAgent, answerMs: timings.answerMs })
  return { ...reads(requester, { ...options, timings }), ...writes(requester), ...rest(requester, transport) }
}

type Reads = Pick<KubeClient, 'get' | 'list' | 'watch'>
type Writes = Pick<KubeClient, 'create' | 'update' | 'patch' | 'apply' | 'delete' | 'post'>

function reads(requester: Requester, options: KubeClientOptions & { readonly timings: Timings }): Reads {
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
    async list<T extends KubeObject>(type: ResourceType<T>, listOptions: ListOptions = {}, signal?: AbortSignal) {
      let items: T[] = []
      let resourceVersion = ''
      for await (const page of listPages(requester, type, listOptions, { signal })) {
        if (page.first) items = []
        for (const item of page.items) items.push(item)
        resourceVersion = page.resourceVersion
      }
      return { items, resourceVersion }
    },
    watch: (type, listOptions, signal) =>
      watchForever(
        {
          type,
          options: listOptions,
          open: (path, opened) => requester.open(path, opened),
          pages: (listed) => listPages(requester, type, listOptions, { signal: listed, once: true }),
          clock: options.clock,
          random: options.random,
          log: options.log,
          timings: options.timings,
        },
        signal,
      ),
  }
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
      const { status, body } = await requester.whole({ ...request, long: true })
      return { status, body }
    },
    async close() {
      requester.close()
      await transport.close?.()
    },
  }
}

function named(object: KubeObject): { namespace?: string; name: string } {
  const { name, namespace } = object.metadata
  if (!name) throw new Error(`a ${object.kind} needs a name`)
  return namespace ? { namespace, name } : { name }
}
