import type { KubeClient } from './client.ts'
import { createKubeClient, type KubeClientOptions } from './rest-client.ts'
import { type InProcessRequest, type InProcessResponse, inProcessTransport } from './transport/in-process-transport.ts'

/** A client of an API server that is a function in this process: for tests, no sockets. `headers` go with each request. */
export function createInProcessClient(
  handle: (request: InProcessRequest) => Promise<InProcessResponse>,
  options: KubeClientOptions & { readonly headers?: Readonly<Record<string, string>> },
): KubeClient {
  return createKubeClient({ ...options, transport: inProcessTransport(handle, options.headers) })
}
