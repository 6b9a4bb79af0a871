import { type CliContext, Failure } from '../../command.ts'

/** What can be done with storages that no server uses, by whoever may read their files or log in to their database. */
export interface LocalStorage {
  /** Throws ConfigurationError-like errors, whose messages name the place, for a file that is not a migration's. */
  openMigration(config: string): Promise<Migration>
  check(options: CheckOptions): Promise<StorageReport>
  /** Restores a snapshot into a storage of its own and reads that back. Its errors say what is wrong with the file. */
  verifySnapshot(
    file: string,
    options: { readonly scratch?: string | undefined; readonly signal: AbortSignal },
  ): Promise<VerifiedSnapshot>
}

export interface VerifiedSnapshot {
  readonly id: string
  readonly takenAt: string
  readonly clusterId: string
  readonly rows: number
  readonly bytes: number
  readonly problems: readonly string[]
}

export interface Migration {
  /** What was given and has no effect. */
  readonly warnings: readonly string[]
  /** All or nothing. */
  run(options: { readonly signal: AbortSignal; readonly onProgress: OnProgress }): Promise<MigrationReport>
  /** Takes the lock of a migration away that was ended. */
  reset(): Promise<void>
}

export type OnProgress = (what: 'copied' | 'compared', rows: number, bytes: number) => void

export interface MigrationReport {
  readonly rows: number
  readonly bytes: number
  readonly digest: string
  readonly from: string
  readonly to: string
}

export interface CheckOptions {
  /** Files and folders of a server's configuration. */
  readonly configs: readonly string[]
  readonly signal: AbortSignal
}

export interface StorageReport {
  readonly storage: string
  /** 'unknown': nothing could be said. */
  readonly verdict: 'whole' | 'damaged' | 'unknown'
  readonly rows?: number
  readonly bytes?: number
  /** What is wrong, or why nothing can be said. */
  readonly problems: readonly string[]
  /** What to do. */
  readonly advice?: string
  /** Rows by what they are for. */
  readonly kinds: readonly { readonly name: string; readonly rows: number; readonly bytes: number }[]
}

export function localStorageOf({ localStorage }: CliContext): Promise<LocalStorage> {
  if (!localStorage) throw new Failure(2, 'this program cannot open storages')
  return localStorage()
}
