/** Login MFA of one namespace. Methods of namespaces above can be used, and their enforcements count here too. */
import type { LoginMfa, ProvedLogin } from '../../contracts/access/login-mfa.ts'
import { EnforcementStore } from './enforcement-store.ts'
import { MethodStore } from './method-store.ts'
import type { MethodRow } from './mfa-rows.ts'
import { type MfaOptions, MfaViews, namesIn } from './mfa-views.ts'
import { type MfaSource, SecondFactor } from './second-factor.ts'
import { type NewSecret, TotpSecrets } from './totp-secrets.ts'

export interface MfaStoreOptions extends MfaOptions {
  /** Of the namespaces above, nearest first; of all below. */
  readonly above: () => readonly MfaStore[]
  readonly below: () => readonly MfaStore[]
}

export interface FoundMethod {
  readonly row: MethodRow
  /** The namespace that it belongs to. */
  readonly owner: MfaStore
}

export class MfaStore implements LoginMfa, MfaSource {
  readonly methods: MethodStore
  readonly enforcements: EnforcementStore
  readonly secrets: TotpSecrets
  readonly secondFactor: SecondFactor
  readonly #options: MfaStoreOptions
  readonly #views: MfaViews

  constructor(options: MfaStoreOptions) {
    this.#options = options
    this.#views = new MfaViews(options)
    this.methods = new MethodStore(this.#views)
    this.enforcements = new EnforcementStore(this.#views)
    this.secrets = new TotpSecrets(this.#views)
    this.secondFactor = new SecondFactor(this.#views, this.secrets, () => this.reach())
  }

  get namespacePath(): string {
    return this.#options.namespace.path
  }

  get namespaceId(): string {
    return this.#options.namespace.id
  }

  /** Whose methods can be used here. */
  reach(): readonly MfaStore[] {
    return [this, ...this.#options.above()]
  }

  atLogin(login: ProvedLogin): ReturnType<LoginMfa['atLogin']> {
    return this.secondFactor.atLogin(login)
  }

  /** A key for who logs in and has none; see SecondFactor. */
  enrol(requestId: string, methodId: string): Promise<NewSecret> {
    const mountOf = (uuid: string) => this.#options.authMounts().find((mount) => mount.uuid === uuid)
    return this.secondFactor.enrol(requestId, methodId, mountOf)
  }

  /** Here or above; `deep`: below too, for reading. */
  async method(id: string, deep = false): Promise<FoundMethod | undefined> {
    for (const owner of deep ? [...this.reach(), ...this.#options.below()] : this.reach()) {
      const row = await owner.methods.byId(id)
      if (row) return { row, owner }
    }
    return undefined
  }

  /** With all secrets that were made for it. */
  async deleteMethod(id: string): Promise<void> {
    const users = [this, ...this.#options.below()]
    const gone = await this.methods.delete(
      id,
      users.map((store) => store.enforcements),
    )
    if (gone) await this.#finish(id)
  }

  /** Housekeeping: finishes deletions that a node that died had begun. */
  async tick(signal: AbortSignal): Promise<void> {
    for await (const id of namesIn(this.#views.erasing)) {
      if (signal.aborted) return
      await this.#finish(id, signal)
    }
  }

  async #finish(id: string, signal?: AbortSignal): Promise<void> {
    for (const store of [this, ...this.#options.below()]) await store.secrets.sweep(id, signal)
    if (signal?.aborted) return
    const { erasing } = this.#views
    await erasing.transaction(async (tx) => tx.remove(erasing, id))
  }
}
