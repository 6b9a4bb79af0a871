/** The place of a worker, or of the housekeeper, in its node: everything that it has from the primary. */
import cluster from 'node:cluster'
import { Writable } from 'node:stream'
import { plainRows, WrongRootKey } from '../../../server/barrier/barrier.ts'
import type { Change, StorageBackend } from '../../../server/contracts/storage.ts'
import type { NodeSeal } from '../../../server/faces/sys/seal/node-seal.ts'
import type { Peers } from '../../../server/storage/lmdb/lmdb.ts'
import type { ProgramIo } from '../../program.ts'
import type { Core } from '../core.ts'
import type { ServerLog } from '../node/logger.ts'
import type { NodeOperations } from '../node/operations.ts'
import type { Reloads } from '../node/reloads.ts'
import { type Answers, Channel } from './channel.ts'
import type { Opening, SeatFacts, ToMember, ToPrimary } from './messages.ts'
import { NodeLimiter } from './node-limiter.ts'
import { NodeLogs } from './node-logs.ts'
import { nodeSealControl } from './node-seal-control.ts'
import { imageOf, seriesOf } from './series-image.ts'

/** What the primary's questions are about. */
interface Parts {
  readonly core: Core
  readonly operations: NodeOperations
  readonly reloads: Reloads
}

/** Undefined: this process is no worker of a node. */
export async function takeSeat(): Promise<Seat | undefined> {
  return cluster.isWorker ? Seat.take() : undefined
}

export class Seat {
  readonly facts: SeatFacts
  readonly #primary: Channel<ToPrimary, ToMember>
  readonly #stop = new AbortController()
  #parts: Parts | undefined
  #setParts: (parts: Parts) => void = () => {}
  readonly #ready = new Promise<Parts>((resolve) => {
    this.#setParts = resolve
  })
  #opening = 0
  #openings: Promise<unknown> = Promise.resolve()
  #logs: NodeLogs | undefined
  #heard: (change: Change) => void = () => {}

  static async take(): Promise<Seat> {
    // Answers begin only when there is a seat: the primary asks nothing of a process before it has one.
    let seat: Seat | undefined
    const primary = new Channel<ToPrimary, ToMember>({
      port: {
        send: (message, sent) => void process.send?.(message, undefined, {}, sent),
        onMessage: (listener) => void process.on('message', listener),
      },
      answers: answersOf(() => {
        if (!seat) throw new Error('this process has no seat yet')
        return seat
      }),
      failed: (name, error) => seat?.failed(name, error),
    })
    seat = new Seat(primary, await primary.call('seat', null))
    return seat
  }

  private constructor(primary: Channel<ToPrimary, ToMember>, facts: SeatFacts) {
    this.facts = facts
    this.#primary = primary
  }

  get leads(): boolean {
    return this.facts.role === 'housekeeper'
  }

  /** Stops with the primary, which alone heeds SIGHUP and ends who does not stop. */
  ioOf({ exit: _, ...io }: ProgramIo): ProgramIo {
    // Unheard it would end the process.
    io.onReload(() => {})
    // A signal to all processes at once (a terminal, systemd) must not end the housekeeper while workers still need it.
    const stop = this.leads ? this.#stop.signal : AbortSignal.any([io.stop, this.#stop.signal])
    return { ...io, stdout: this.stdout, stop, onReload: () => {} }
  }

  /** Told of commits here, tells of those of others. */
  get peers(): Peers {
    const waiting: string[] = []
    return {
      // Whatever is committed in one turn of the event loop goes in one message.
      publish: (keys) => {
        if (waiting.push(...keys) > keys.length) return
        setImmediate(() => this.#primary.tell('changed', waiting.splice(0)))
      },
      listen: (heard) => {
        this.#heard = heard
      },
    }
  }

  readonly limiter = new NodeLimiter({ ask: (asks) => this.#primary.call('take', asks) })

  /** Lines of audit devices: of several processes no one else may write into the middle of a line. */
  readonly stdout = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      this.#primary.call('stdout', chunk).then(
        () => done(),
        (error: Error) => done(error),
      )
    },
  })

  readonly nodeWide = {
    collect: async () => seriesOf(await this.#primary.call('metrics', null)),
    inFlight: (namespaceId: string) => this.#primary.call('requests', { namespaceId }),
  }

  readonly audits = {
    stats: () => this.#primary.call('auditStats', null),
    checkpoint: async () => void (await this.#primary.call('checkpoint', null)),
  }

  findDenial(requestId: string) {
    return this.#primary.call('denial', { requestId })
  }

  logs(own: ServerLog): NodeLogs {
    const logs = new NodeLogs({
      own,
      changed: (change) => this.#primary.tell('level', change),
      tap: (level) => this.#primary.tell('tap', level),
      tell: (line) => this.#primary.tell('line', line),
    })
    for (const change of this.facts.levels) logs.apply(change)
    logs.tellFrom(this.facts.tapped)
    this.#logs = logs
    return logs
  }

  /** A part that is read again is read again by all. */
  reloads(own: Reloads): Reloads['parts'] {
    return Object.fromEntries(
      Object.keys(own.parts).map((part) => [part, async () => void (await this.#primary.call('reload', { part }))]),
    )
  }

  sealControl(own: NodeSeal) {
    return this.leads ? own : nodeSealControl({ own, primary: this.#primary, opening: () => this.#opening })
  }

  /** This process was opened, not by another one. */
  async opened(seal: NodeSeal): Promise<void> {
    const rootKey = await seal.rootKey()
    try {
      this.#opening = (await this.#primary.call('opened', { rootKey })).opening
    } finally {
      rootKey.fill(0)
    }
  }

  /** This process found that the cluster was sealed. */
  sealedElsewhere(): void {
    this.#primary.tell('sealed', { opening: this.#opening })
  }

  async storageOpen(): Promise<void> {
    await this.#primary.call('storageOpen', null)
  }

  /** From here on the primary's questions are answered; resolves when this process is as open as the others. */
  async join(parts: Parts, backend: StorageBackend): Promise<void> {
    this.#parts = parts
    this.#setParts(parts)
    const opening = await this.#primary.call('rootKey', null)
    if (opening) await this.open(opening)
    if (!this.leads) return
    this.#followRootKey(parts.core.seal, backend).catch((error: unknown) => this.failed('rooted', error))
  }

  async ready(addresses: readonly string[]): Promise<void> {
    await this.#primary.call('ready', { addresses })
  }

  /** One after the other: the root key may come twice. */
  open(opening: Opening): Promise<void> {
    const turn = this.#openings.then(() => this.#open(opening))
    this.#openings = turn.catch(() => undefined)
    return turn
  }

  async #open({ rootKey, opening }: Opening): Promise<void> {
    const { core } = await this.#ready
    this.#opening = opening
    try {
      await core.seal.openWith(rootKey)
    } catch (error) {
      if (!(error instanceof WrongRootKey)) throw error
      await this.#primary.call('rootKeyWrong', null)
    }
  }

  /** What the primary hands to processes that start anew must open. */
  async #followRootKey(seal: NodeSeal, backend: StorageBackend): Promise<void> {
    for await (const change of backend.changes(this.#stop.signal)) {
      if (seal.sealed || (change !== 'reset' && !change.keys.includes(plainRows.keyring))) continue
      try {
        const rootKey = await seal.rootKey()
        this.#primary.tell('rooted', { rootKey })
        rootKey.fill(0)
      } catch (error) {
        this.failed('rooted', error)
      }
    }
  }

  failed(name: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#parts?.reloads.log.warn('a message of the primary was not heeded', { name, error: message })
  }

  /** For the answers below. */
  parts(): Promise<Parts> {
    return this.#ready
  }

  changed(change: Change): void {
    this.#heard(change)
  }

  get nodeLogs(): NodeLogs | undefined {
    return this.#logs
  }

  end(): void {
    this.#stop.abort(new Error('the node is stopping'))
  }
}

function answersOf(seat: () => Seat): Answers<ToMember> {
  const parts = () => seat().parts()
  return {
    open: async (opening) => {
      await seat().open(opening)
      return null
    },
    close: async () => {
      // Not waited for: what is under way here may be what the others wait for.
      void (await parts()).core.seal.close()
      return null
    },
    stop: () => {
      seat().end()
      return null
    },
    initialise: async (request) => (await parts()).core.seal.initialise(request),
    unseal: async ({ share, migrate }) => {
      await (await parts()).core.seal.unseal(share, migrate)
      return null
    },
    resetUnseal: async () => {
      ;(await parts()).core.seal.resetUnseal()
      return null
    },
    unsealProgress: async () => {
      const { progress, nonce } = await (await parts()).core.seal.status()
      return { progress, nonce }
    },
    stepDown: async () => {
      await (await parts()).core.seal.stepDown()
      return null
    },
    metrics: async () => imageOf(await (await parts()).operations.telemetry.collect()),
    requests: async ({ namespaceId }) => (await parts()).operations.requests.json(namespaceId),
    denial: async ({ requestId }) => (await parts()).core.denials.find(requestId),
    auditStats: async () => (await parts()).core.broker.stats(),
    checkpoint: async () => {
      await (await parts()).core.broker.checkpoint()
      return null
    },
    reload: async ({ part }) => {
      const { reloads } = await parts()
      const one = part === undefined ? undefined : reloads.parts[part]
      await (one ? one() : reloads.all())
      return null
    },
    level: (change) => {
      seat().nodeLogs?.apply(change)
      return null
    },
    tapped: (level) => {
      seat().nodeLogs?.tellFrom(level)
      return null
    },
    changed: (change) => {
      seat().changed(change)
      return null
    },
    line: (line) => {
      seat().nodeLogs?.heard(line)
      return null
    },
  }
}
