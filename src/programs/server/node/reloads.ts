import type { Logger } from '../../../lib/log.ts'
import type { Listener } from '../../../server/http/listener.ts'
import type { AuditStanza } from '../audit-stanza.ts'
import type { ServerConfig } from '../configuration.ts'
import type { Core } from '../core.ts'
import type { ServerLog } from './logger.ts'
import { readTls } from './open-listener.ts'
import type { LogFile } from './process-files.ts'

export interface ReloadOptions {
  readonly config: ServerConfig
  /** What the configuration's files say now; undefined when there are none. Throws on a wrong file. */
  readonly readAgain: () => ServerConfig | undefined
  /** The log's level was given as a flag, which counts more than the files. */
  readonly levelIsFixed: boolean
  /** In the configuration's order. */
  readonly listeners: readonly Listener[]
  readonly logs: ServerLog
  readonly logFile: LogFile | undefined
  readonly log: Logger
}

/** What SIGHUP and sys/config/reload do: TLS files, the log's level and declared audit devices are read again, log and audit files opened again. */
export class Reloads {
  readonly #options: ReloadOptions
  /** The audit devices that the configuration declares now: permission to write there, and what unsealing opens. */
  declaredAudit: readonly AuditStanza[]
  /** Set when there is a server. */
  core:
    | { readonly broker: Pick<Core['broker'], 'declare' | 'reopen'>; readonly seal: Pick<Core['seal'], 'sealed'> }
    | undefined

  constructor(options: ReloadOptions) {
    this.#options = options
    this.declaredAudit = options.config.audit ?? []
  }

  get log(): Logger {
    return this.#options.log
  }

  get parts(): Readonly<Record<string, () => Promise<void>>> {
    return {
      tls: async () => this.#tls(),
      log_level: async () => this.#logLevel(),
      log_file: async () => this.#options.logFile?.reopen(),
      audit: () => this.#audit(),
    }
  }

  /** Each on its own: one that fails keeps what was, says so in the log, and holds up none of the others. */
  async all(): Promise<void> {
    const { log } = this.#options
    for (const [part, reload] of Object.entries(this.parts)) {
      try {
        await reload()
      } catch (error) {
        log.error('not reloaded', { part, error: error instanceof Error ? error.message : String(error) })
      }
    }
    log.info('reloaded')
  }

  #tls(): void {
    const { config, listeners } = this.#options
    // All files are read before any listener gets new ones.
    const fresh = config.listeners.map(({ tls }) => tls && readTls(tls))
    for (const [i, tls] of fresh.entries()) if (tls) listeners[i]?.setTls(tls)
  }

  /** Files are opened again whatever else is wrong: they may have been moved away. */
  async #audit(): Promise<void> {
    try {
      await this.#declareAudit()
    } finally {
      await this.core?.broker.reopen()
    }
  }

  /** A device that is wrong, or whose place can't be written to, leaves all as they were. */
  async #declareAudit(): Promise<void> {
    const read = this.#options.readAgain()
    if (!read) return
    const before = this.declaredAudit
    this.declaredAudit = read.audit ?? []
    // A sealed server opens them when it is unsealed.
    if (!this.core || this.core.seal.sealed) return
    try {
      await this.core.broker.declare(this.declaredAudit, true)
    } catch (error) {
      this.declaredAudit = before
      throw error
    }
  }

  #logLevel(): void {
    const { readAgain, levelIsFixed } = this.#options
    const level = levelIsFixed ? undefined : readAgain()?.logLevel
    if (level) this.#options.logs.reconfigure(level)
    else this.#options.logs.reset()
  }
}
