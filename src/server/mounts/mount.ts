/** One mount that answers requests: its description, its rows, and its engine, made when first asked for. */
import type { Mounted, MountType } from '../contracts/mounted.ts'
import type { MountInfo } from '../contracts/request.ts'
import type { SecretStorage } from '../contracts/secret-storage.ts'
import { RouteTable } from './route-table.ts'

export class Mount {
  readonly info: MountInfo
  /** Shown as running_plugin_version. */
  readonly version: string
  /** Below `mnt/<uuid>/`; the UUID is never used again. */
  readonly storage: SecretStorage
  /** True for sys/ and auth/token/: they see all request headers. */
  readonly builtin: boolean
  readonly removing: boolean
  readonly #create: () => Mounted
  #mounted: Mounted | undefined
  #routes: RouteTable | undefined

  constructor(options: {
    info: MountInfo
    version: string
    storage: SecretStorage
    builtin: boolean
    removing: boolean
    create: () => Mounted
  }) {
    this.info = options.info
    this.version = options.version
    this.storage = options.storage
    this.builtin = options.builtin
    this.removing = options.removing
    this.#create = options.create
  }

  get engine(): Mounted {
    this.#mounted ??= this.#create()
    return this.#mounted
  }

  /** The engine if it is already there: nobody is woken to be told that something changed. */
  get live(): Mounted | undefined {
    return this.#mounted
  }

  get routes(): RouteTable {
    this.#routes ??= new RouteTable(this.engine.routes)
    return this.#routes
  }

  async close(): Promise<void> {
    await this.#mounted?.close?.()
    this.#mounted = undefined
    this.#routes = undefined
  }
}

/** An engine or auth method of this program, and the names under which clients may ask for it. */
export interface MountTypes {
  find(
    type: string,
    mountClass: 'secret' | 'auth',
  ): { readonly type: MountType; readonly options?: Readonly<Record<string, string>> } | undefined
}
