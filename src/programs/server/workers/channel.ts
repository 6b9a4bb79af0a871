import { Refusal } from '../../../server/contracts/request.ts'

/** Each name: what is asked, what is answered. */
export type Calls<C> = { readonly [K in keyof C]: readonly [asked: unknown, answered: unknown] }
export type Answers<C extends Calls<C>> = {
  readonly [K in keyof C]: (asked: C[K][0]) => C[K][1] | Promise<C[K][1]>
}

/** One end of Node's channel between a process and its child. */
export interface Port {
  /** `sent`: the message has left this process, or never will. */
  send(message: unknown, sent: () => void): void
  /** Called for each message. */
  onMessage(listener: (message: unknown) => void): void
}

type Wire =
  | { readonly kind: 'call'; readonly id: number; readonly name: string; readonly body: unknown }
  | { readonly kind: 'tell'; readonly id: number; readonly name: string; readonly body: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly body: unknown }
  | {
      readonly kind: 'refused'
      readonly id: number
      readonly message: string
      readonly status?: number
      readonly errors?: readonly string[]
    }

interface Waiting {
  resolve(body: unknown): void
  reject(error: Error): void
}

export interface ChannelOptions<In extends Calls<In>> {
  readonly port: Port
  readonly answers: Answers<In>
  /** What nobody waits for went wrong. */
  readonly failed: (name: string, error: unknown) => void
}

/** Questions and answers both ways. A Refusal arrives as a Refusal; of any other error its message does. */
export class Channel<Out extends Calls<Out>, In extends Calls<In>> {
  readonly #options: ChannelOptions<In>
  readonly #waiting = new Map<number, Waiting>()
  #calls = 0
  #ended: Error | undefined
  /** Messages that have not left this process. */
  unsent = 0

  constructor(options: ChannelOptions<In>) {
    this.#options = options
    options.port.onMessage((message) => this.#heard(message))
  }

  call<K extends keyof Out & string>(name: K, body: Out[K][0]): Promise<Out[K][1]> {
    if (this.#ended) return Promise.reject(this.#ended)
    this.#calls += 1
    const id = this.#calls
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#send({ kind: 'call', id, name, body })
    })
  }

  /** Nobody waits for an answer. */
  tell<K extends keyof Out & string>(name: K, body: Out[K][0]): void {
    if (!this.#ended) this.#send({ kind: 'tell', id: 0, name, body })
  }

  /** The other end is gone. */
  end(error: Error): void {
    this.#ended = error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }

  #send(message: Wire): void {
    this.unsent += 1
    this.#options.port.send(message, () => {
      this.unsent -= 1
    })
  }

  #heard(message: unknown): void {
    if (!isWire(message)) return
    if (message.kind === 'call' || message.kind === 'tell') {
      void this.#answer(message.kind === 'call' ? message.id : undefined, message.name, message.body)
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.kind === 'answer') waiting?.resolve(message.body)
    else waiting?.reject(errorOf(message))
  }

  async #answer(id: number | undefined, name: string, body: unknown): Promise<void> {
    const { answers, failed } = this.#options
    try {
      if (!Object.hasOwn(answers, name)) throw new Error(`nobody answers ${name}`)
      const answered = await answers[name as keyof In](body)
      if (id !== undefined && !this.#ended) this.#send({ kind: 'answer', id, body: answered })
    } catch (error) {
      if (id === undefined) failed(name, error)
      else if (!this.#ended) this.#send({ kind: 'refused', id, ...wireOf(error) })
    }
  }
}

/** Other messages on the same channel are Node's own or of a supervisor. */
function isWire(message: unknown): message is Wire {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    'id' in message &&
    typeof message.id === 'number' &&
    ['call', 'tell', 'answer', 'refused'].includes(String(message.kind))
  )
}

function wireOf(error: unknown) {
  if (error instanceof Refusal) return { message: error.message, status: error.status, errors: error.errors }
  return { message: error instanceof Error ? error.message : String(error) }
}

function errorOf(wire: Extract<Wire, { kind: 'refused' }>): Error {
  const { message, status, errors } = wire
  return status !== undefined && errors ? new Refusal(status, errors) : new Error(message)
}
