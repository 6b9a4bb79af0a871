import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Clock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import type { StorageBackend } from '../../src/server/contracts/storage.ts'
import { openLmdb } from '../../src/server/storage/lmdb/lmdb.ts'

export const childScript = join(import.meta.dirname, 'storage-child.ts')
export const childCommand = [process.execPath, '--import', 'tsx', childScript]

export interface PeerCall {
  readonly id: number
  readonly folder: string
  readonly method: 'read' | 'commit' | 'list' | 'clear' | 'close'
  readonly args: readonly unknown[]
}

/** As `coffer server` opens it, with the check in a process of its own. */
export const openStorage = (path: string, clock: Clock): Promise<StorageBackend> =>
  openLmdb({
    path,
    clock,
    random: systemRandom,
    log: silentLog,
    check: { command: [...childCommand, 'check'] },
    minFreeBytes: 1024 * 1024,
    fatal: (error) => {
      throw error
    },
  })

/** A second process that has the same storage open. */
export class PeerProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  readonly ready: Promise<void>
  #calls = 0

  constructor() {
    this.#child = fork(childScript, ['peer'], { execArgv: ['--import', 'tsx'], serialization: 'advanced' })
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (answer: { id: number; value?: never; error?: string }) => {
        if (answer.id === -1) return resolve()
        const waiting = this.#waiting.get(answer.id)
        this.#waiting.delete(answer.id)
        if (answer.error !== undefined) waiting?.reject(new Error(answer.error))
        else waiting?.resolve(answer.value as never)
      })
    })
  }

  storage(folder: string): Pick<StorageBackend, 'read' | 'commit' | 'list' | 'clear' | 'close'> {
    return {
      read: (...args) => this.#call(folder, 'read', args),
      commit: (...args) => this.#call(folder, 'commit', args),
      list: (...args) => this.#call(folder, 'list', args),
      clear: (...args) => this.#call(folder, 'clear', args),
      close: () => this.#call(folder, 'close', []),
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.disconnect()
    await ended
  }

  #call<T>(folder: string, method: PeerCall['method'], args: readonly unknown[]): Promise<T> {
    this.#calls += 1
    const id = this.#calls
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject })
      this.#child.send({ id, folder, method, args } satisfies PeerCall)
    })
  }
}
