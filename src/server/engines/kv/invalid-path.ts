import { operation, type Reply, type Route } from '../../contracts/request.ts'

/** For `data`, `metadata` and so on without a key. */
export const notOnRoot: Reply = {
  kind: 'none',
  status: 404,
  warnings: ['Non-listing operations on the root of a K/V v2 mount are not supported.'],
}

/** Paths of a v1 mount on a v2 mount: what clients that never asked for the version send. */
function invalid(command: string) {
  const reply: Reply = {
    kind: 'none',
    status: 404,
    warnings: [
      `Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv ${command}' for this operation.`,
    ],
  }
  return operation({ input: 'free', effect: 'none', handle: () => Promise.resolve(reply) })
}

export const invalidPathRoute: Route = {
  path: '{path...?}',
  summary: 'Explains that keys of this mount have versions.',
  on: {
    read: invalid('get'),
    list: invalid('list'),
    scan: invalid('list'),
    update: invalid('put'),
    patch: invalid('patch'),
    delete: invalid('delete'),
  },
}
