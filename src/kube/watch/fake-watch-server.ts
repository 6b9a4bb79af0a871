/** A collection of Secrets that serves lists and watches with the faults that links and servers have; for tests. */
import type { KubeObject } from '../client.ts'
import type { KubeRequest, KubeResponse, KubeTransport } from '../transport/transport.ts'
import { Unreachable } from '../transport/transport.ts'

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly version: number
  readonly object: KubeObject
}

export class FakeWatchServer implements KubeTransport {
  readonly requests: URLSearchParams[] = []
  /** Whether it knows sendInitialEvents. */
  streaming = true
  /** Answers to the next requests instead of the real ones: a status, or 'refused'. */
  readonly refusals: (number | 'refused')[] = []
  /** How many bytes a chunk has, one after the other and again. */
  chunkSizes: readonly number[] = [1, 7, 64, 3]
  /** Each new watch ends at once. */
  endsAtOnce = false
  #version = 10
  #compactedBelow = 0
  readonly #objects = new Map<string, KubeObject>()
  readonly #changes: Change[] = []
  readonly #streams = new Set<Stream>()

  get connections(): number {
    return this.#streams.size
  }

  get names(): Record<string, string> {
    return Object.fromEntries([...this.#objects].map(([name, object]) => [name, object.metadata.resourceVersion ?? '']))
  }

  put(name: string, text = 'é😀'): void {
    this.#version += 1
    const before = this.#objects.get(name)
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default', resourceVersion: String(this.#version), annotations: { text } },
    }
    this.#objects.set(name, object)
    this.#tell({ type: before ? 'MODIFIED' : 'ADDED', version: this.#version, object })
  }

  remove(name: string): void {
    const before = this.#objects.get(name)
    if (!before) return
    this.#version += 1
    this.#objects.delete(name)
    const metadata = { ...before.metadata, resourceVersion: String(this.#version) }
    this.#tell({ type: 'DELETED', version: this.#version, object: { ...before, metadata } })
  }

  bookmark(): void {
    for (const stream of this.#streams) stream.push(bookmarkLine(this.#version))
  }

  /** History before now is gone: older versions get 410. */
  compact(): void {
    this.#compactedBelow = this.#version
  }

  /** Cuts every link; what was on its way is lost after `bytes` bytes. */
  cut(bytes = 0): void {
    for (const stream of this.#streams) stream.cut(bytes)
  }

  /** Ends every watch in good order, as timeoutSeconds does. */
  finish(): void {
    for (const stream of this.#streams) stream.end()
  }

  /** Links stay open and carry nothing any more. */
  silence(): void {
    for (const stream of this.#streams) stream.silent = true
  }

  async send(request: KubeRequest): Promise<KubeResponse> {
    const query = new URLSearchParams(request.path.split('?')[1] ?? '')
    this.requests.push(query)
    const refusal = this.refusals.shift()
    if (refusal === 'refused') throw new Unreachable('connection refused')
    if (refusal !== undefined) return statusAnswer(refusal)
    if (query.get('watch') !== 'true') return this.#list(query)
    if (query.has('sendInitialEvents') && !this.streaming) return statusAnswer(422)
    return this.#watch(query, request.signal)
  }

  #list(query: URLSearchParams): KubeResponse {
    const all = [...this.#objects.values()].sort((a, b) => (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''))
    // Small pages, so that every list of a test takes several.
    const from = Number(query.get('continue') ?? 0)
    const to = query.has('limit') ? from + 2 : all.length
    const items = all.slice(from, to).map(({ kind: _k, apiVersion: _a, ...rest }) => rest)
    const metadata = {
      resourceVersion: String(this.#version),
      ...(to < all.length ? { continue: String(to) } : {}),
    }
    return answer(200, JSON.stringify({ kind: 'SecretList', apiVersion: 'v1', metadata, items }))
  }

  #watch(query: URLSearchParams, signal: AbortSignal | undefined): KubeResponse {
    const stream = new Stream(this.chunkSizes, () => this.#streams.delete(stream))
    signal?.addEventListener('abort', () => stream.cut(0), { once: true })
    if (query.has('sendInitialEvents')) {
      for (const object of this.#objects.values()) stream.push(frameLine('ADDED', object))
      stream.push(bookmarkLine(this.#version, true))
    } else {
      const from = Number(query.get('resourceVersion'))
      if (from < this.#compactedBelow) {
        stream.push(frameLine('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }))
        stream.end()
      }
      for (const change of this.#changes) {
        if (change.version > from) stream.push(frameLine(change.type, change.object))
      }
    }
    if (this.endsAtOnce) stream.end()
    this.#streams.add(stream)
    return { status: 200, headers: {}, body: stream.bytes() }
  }

  #tell(change: Change): void {
    this.#changes.push(change)
    for (const stream of this.#streams) stream.push(frameLine(change.type, change.object))
  }
}

const frameLine = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`

function bookmarkLine(version: number, initialEnd = false): string {
  const annotations = initialEnd ? { 'k8s.io/initial-events-end': 'true' } : {}
  const metadata = { resourceVersion: String(version), annotations }
  return frameLine('BOOKMARK', { kind: 'Secret', apiVersion: 'v1', metadata })
}

function statusAnswer(code: number): KubeResponse {
  return answer(code, JSON.stringify({ kind: 'Status', apiVersion: 'v1', code, message: `planned ${code}` }))
}

function answer(status: number, text: string): KubeResponse {
  return {
    status,
    headers: {},
    body: (async function* () {
      yield Buffer.from(text)
    })(),
  }
}

/** Bytes in small chunks, with a fault when told so. */
class Stream {
  silent = false
  #pending = Buffer.alloc(0)
  #state: 'open' | 'ending' | 'cut' = 'open'
  #left = Number.POSITIVE_INFINITY
  #wake: () => void = () => {}
  readonly #chunkSizes: readonly number[]
  readonly #onClose: () => void

  constructor(chunkSizes: readonly number[], onClose: () => void) {
    this.#chunkSizes = chunkSizes
    this.#onClose = onClose
  }

  push(line: string): void {
    if (this.#state !== 'open') return
    this.#pending = Buffer.concat([this.#pending, Buffer.from(line)])
    this.#wake()
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ending'
    this.#wake()
  }

  cut(bytes: number): void {
    this.#state = 'cut'
    this.#left = bytes
    this.#wake()
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let turn = 0; ; turn++) {
        while (this.#waiting()) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
        if (this.#state === 'cut' && (this.#left <= 0 || this.#pending.length === 0)) throw new Unreachable('link cut')
        if (this.#pending.length === 0) return
        const size = Math.min(this.#chunkSizes[turn % this.#chunkSizes.length] ?? 1, this.#left)
        const chunk = this.#pending.subarray(0, size)
        this.#pending = this.#pending.subarray(size)
        this.#left -= size
        yield chunk
      }
    } finally {
      this.#onClose()
    }
  }

  #waiting(): boolean {
    if (this.#state === 'cut') return false
    if (this.silent) return true
    return this.#pending.length === 0 && this.#state === 'open'
  }
}
