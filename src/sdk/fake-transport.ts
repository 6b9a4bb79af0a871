import type { Transport, TransportRequest, TransportResponse } from './transport.ts'

/** A server for tests: answers each request by a function; keeps what it was asked. */
export interface FakeTransport extends Transport {
  readonly requests: TransportRequest[]
}

export function fakeTransport(
  answer: (request: TransportRequest) => Partial<TransportResponse> | Promise<Partial<TransportResponse>>,
): FakeTransport {
  const requests: TransportRequest[] = []
  const send = async (request: TransportRequest) => {
    requests.push(request)
    const { status, headers, body } = await answer(request)
    return { status: status ?? (body ? 200 : 204), headers: headers ?? {}, body: body ?? '' }
  }
  return {
    requests,
    send,
    stream: async (request) => {
      const { body, ...head } = await send(request)
      return { ...head, body: linesOf(body) }
    },
  }
}

/** An answer with Vault's envelope around `data`. */
export const envelopeOf = (members: object): Partial<TransportResponse> => ({
  status: 200,
  body: JSON.stringify({
    request_id: '6f8a1c1e-0000-4000-8000-000000000000',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth: null,
    ...members,
  }),
})

async function* linesOf(text: string) {
  yield* text.split(/(?<=\n)/)
}
