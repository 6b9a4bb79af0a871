/** sys/in-flight-req: what this node is working on. */
import { stringifyJson } from '../../../../../lib/json/stringify.ts'
import type { JsonObject } from '../../../../../lib/json/value.ts'
import { operation, type Route } from '../../../../contracts/request.ts'

export interface InFlightOptions {
  /** By request id, of all processes of this node. */
  readonly inFlight: (namespaceId: string) => Promise<JsonObject>
}

export function inFlightRoutes({ inFlight }: InFlightOptions): Route[] {
  const read = operation({
    input: {},
    namespaces: 'root',
    handle: async (call) => ({
      kind: 'raw',
      contentType: 'application/json',
      body: Buffer.from(stringifyJson(await inFlight(call.namespace.id))),
    }),
  })
  return [{ path: 'in-flight-req', summary: 'The requests that this node is working on.', on: { read } }]
}
