/** sys/internal/counters: how many tokens and entities there are. */
import { operation, type Route } from '../../../../contracts/request.ts'

/** Of the face's namespace; each count is bounded by whoever counts. */
export interface Counts {
  serviceTokens(): Promise<number>
  entities(): Promise<number>
}

export function counterRoutes(counts: Counts): Route[] {
  const tokens = operation({
    input: {},
    handle: async () => ({
      kind: 'data',
      data: { counters: { service_tokens: { total: await counts.serviceTokens() } } },
    }),
  })
  const entities = operation({
    input: {},
    handle: async () => ({ kind: 'data', data: { counters: { entities: { total: await counts.entities() } } } }),
  })
  return [
    { path: 'internal/counters/tokens', summary: 'How many service tokens there are.', on: { read: tokens } },
    { path: 'internal/counters/entities', summary: 'How many entities there are.', on: { read: entities } },
  ]
}
