import { type ServerEvent, type SubscribeOptions, subscribe } from '../../sdk/events.ts'
import type { AgentLog } from '../log.ts'
import type { Dependencies } from './dependencies.ts'

export type FeedState = 'off' | 'connecting' | 'live' | 'lost' | 'unsupported'

/** Lets the server say when a secret changed, so that files follow in milliseconds; without it the interval alone counts. */
export class ChangeFeed {
  readonly #log: AgentLog
  readonly #dependencies: Dependencies
  #state: FeedState = 'off'

  constructor(o: { log: AgentLog; dependencies: Dependencies }) {
    this.#log = o.log
    this.#dependencies = o.dependencies
  }

  get state(): FeedState {
    return this.#state
  }

  /** Until the signal. */
  async run(options: Omit<SubscribeOptions, 'type'>): Promise<void> {
    if (this.#state !== 'off') return
    this.#state = 'connecting'
    for await (const event of subscribe({ ...options, type: 'kv-v2/*' })) this.#on(event)
  }

  #on(event: ServerEvent) {
    if (typeof event === 'object') {
      this.#dependencies.pokeAbout(event.path, event.mountPath)
      return
    }
    if (event === 'reset') {
      this.#to('live', 'the server tells of changes')
      this.#dependencies.pokeAll()
    } else if (event === 'lost') {
      this.#to('lost', 'the server no longer tells of changes, connecting again')
      // Whether it is only the link or the server itself shows at the next read.
      this.#dependencies.pokeAll()
    } else {
      this.#to('unsupported', 'the server does not tell of changes, secrets are read at the interval')
    }
  }

  #to(state: FeedState, message: string) {
    if (this.#state !== state) this.#log.info(message)
    this.#state = state
  }
}
