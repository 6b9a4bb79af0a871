/** sys/in-flight-req: what this process is working on. */
import { stringifyJson } from '../../../../../lib/json/stringify.ts'
import { operation, type Route } from '../../../../contracts/request.ts'
import type { RequestsUnderWay } from '../../../../telemetry/requests-under-way.ts'

export interface InFlightOptions {
  readonly requests: RequestsUnderWay
}

export function inFlightRoutes({ requests }: InFlightOptions): Route[] {
  const read = operation({
    input: {},
    namespaces: 'root',
    handle: async (call) => ({
      kind: 'raw',
      contentType: 'application/json',
      body: Buffer.from(stringifyJson(requests.json(call.namespace.id))),
    }),
  })
  return [{ path: 'in-flight-req', summary: 'The requests that this process is working on.', on: { read } }]
}
