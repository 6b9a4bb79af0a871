/** -output-curl-string and -output-policy: the first request is kept instead of being sent. */
import { Writable } from 'node:stream'
import type { ConnectSocket } from '../../sdk/events.ts'
import type { Transport, TransportRequest } from '../../sdk/transport.ts'
import { Failure } from '../command.ts'

/** Ends the command where it would have asked the server. */
class NotSent extends Failure {
  override name = 'NotSent'

  constructor() {
    super(0, 'the request was shown instead of being sent')
  }
}

export interface ShownRequest extends TransportRequest {
  /** Instead of `body`: what is in this file. */
  readonly file?: string
}

export class CapturedRequest {
  #request: ShownRequest | undefined

  get request(): ShownRequest | undefined {
    return this.#request
  }

  /** For a WebSocket, which begins as a request too. */
  instead(): ConnectSocket {
    return (path, headers) => this.#keep({ method: 'GET', path, headers })
  }

  #keep(request: ShownRequest): Promise<never> {
    this.#request ??= request
    return Promise.reject(new NotSent())
  }

  /** Sends only what a command asks to know which request it will make: what a path's mount is. */
  around(transport: Transport): Transport {
    const keep = (request: TransportRequest) => this.#keep(request)
    return {
      send: (request, signal) => (asksForMount(request) ? transport.send(request, signal) : keep(request)),
      stream: keep,
      transfer: ({ source, ...request }) =>
        this.#keep(source?.file === undefined ? request : { ...request, file: source.file }),
      ...(transport.close && { close: () => transport.close?.() ?? Promise.resolve() }),
    }
  }

  /** What a command prints once its request was kept is about an answer that never came. */
  until(stream: Writable): Writable {
    return new Writable({
      decodeStrings: false,
      write: (chunk, encoding, done) => {
        if (this.#request) done()
        else stream.write(chunk, encoding, done)
      },
    })
  }
}

const asksForMount = ({ method, path }: TransportRequest) =>
  method === 'GET' && path.startsWith('/v1/sys/internal/ui/mounts/')
