import type { RandomBytes } from '../../../lib/random.ts'
import type { DueRows } from '../../contracts/due-rows.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import type { MountInfo } from '../../contracts/request.ts'
import type { Rows, SecretStorage } from '../../contracts/secret-storage.ts'
import type { IdentityStore } from '../identity-store.ts'

export interface MfaOptions {
  readonly rows: Rows
  readonly namespace: NamespaceInfo
  readonly random: RandomBytes
  readonly due: DueRows
  readonly identity: Pick<IdentityStore, 'entityOf' | 'membershipsOf' | 'group' | 'entityKey'>
  /** Auth mounts of this namespace. */
  readonly authMounts: () => readonly MountInfo[]
}

/** Where the rows of a namespace lie; see mfa-rows.ts. */
export class MfaViews {
  readonly options: MfaOptions
  readonly rows: Rows
  readonly namespace: NamespaceInfo
  readonly all: SecretStorage
  readonly methods: SecretStorage
  readonly methodNames: SecretStorage
  readonly enforcements: SecretStorage
  readonly secrets: SecretStorage
  readonly holders: SecretStorage
  readonly states: SecretStorage
  readonly requests: SecretStorage
  readonly erasing: SecretStorage

  constructor(options: MfaOptions) {
    this.options = options
    this.rows = options.rows
    this.namespace = options.namespace
    this.all = options.rows.view(`ns/${options.namespace.id}/identity/mfa/`)
    this.methods = this.all.at('method/')
    this.methodNames = this.all.at('method-name/')
    this.enforcements = this.all.at('enforcement/')
    this.secrets = this.all.at('secret/')
    this.holders = this.all.at('holder/')
    this.states = this.all.at('state/')
    this.requests = this.all.at('request/')
    this.erasing = this.all.at('erase/')
  }

  /** The storage's clock. */
  now(): Promise<number> {
    return this.rows.now()
  }
}

const pageSize = 250

/** All names of a view, page by page. */
export async function* namesIn(view: SecretStorage, prefix = ''): AsyncGenerator<string> {
  let after: string | undefined
  for (;;) {
    const page = await view.list(prefix, { depth: 'all', limit: pageSize, ...(after !== undefined && { after }) })
    yield* page
    if (page.length < pageSize) return
    after = page.at(-1)
  }
}
