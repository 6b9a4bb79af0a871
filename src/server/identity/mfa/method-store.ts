/** TOTP methods: how passcodes are made and judged. */
import { base62, uuid } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { checkName } from '../given-names.ts'
import { isId } from '../identity-rows.ts'
import type { EnforcementStore } from './enforcement-store.ts'
import { emptySchema, hashOf, type MethodRow, methodSchema, pointerSchema } from './mfa-rows.ts'
import { type MfaViews, namesIn } from './mfa-views.ts'

/** Of a write: what it does not say has its default, as in Vault. */
export interface MethodChange {
  readonly name: string
  readonly issuer: string
  readonly periodMs: number
  readonly digits: number
  readonly algorithm: string
  readonly skew: number
  readonly keySize: number
  readonly qrSize: number
  readonly maxAttempts: number
  readonly selfEnrollment: boolean
}

const defaultMaxAttempts = 5
const maxKeyBytes = 512
const maxPixels = 2048
const maxPeriod = 24 * 60 * 60

export class MethodStore {
  readonly #views: MfaViews

  constructor(views: MfaViews) {
    this.#views = views
  }

  async byId(id: string): Promise<MethodRow | undefined> {
    return isId(id) ? this.#views.methods.get(id, methodSchema) : undefined
  }

  /** Sorted by id. */
  async *all(): AsyncGenerator<MethodRow> {
    for await (const id of namesIn(this.#views.methods)) {
      const row = await this.byId(id)
      if (row) yield row
    }
  }

  /** `id` undefined: changes the method of that name, or makes one. Answers the id. */
  async put(id: string | undefined, change: MethodChange): Promise<string> {
    checkName('method_name', change.name)
    if (id !== undefined && !isId(id)) throw noMethod(id)
    const settings = checked(change)
    const { methods, options } = this.#views
    return methods.transaction(async (tx) => {
      const before = await this.#subject(tx, id, change.name)
      const row: MethodRow = {
        format: 1,
        id: before?.id ?? uuid(options.random),
        name: change.name === '' ? (before?.name ?? '') : change.name,
        touched: before?.touched ?? '',
        ...settings,
      }
      this.#rename(tx, row, before?.name ?? '')
      if (before) tx.put(methods, row.id, { ...row })
      else tx.create(methods, row.id, { ...row })
      return row.id
    })
  }

  async #subject(tx: Tx, id: string | undefined, name: string): Promise<MethodRow | undefined> {
    const { methods, methodNames } = this.#views
    const named = name === '' ? undefined : await tx.get(methodNames, hashOf(name), pointerSchema)
    const known = id ?? named?.id
    const row = known === undefined ? undefined : await tx.get(methods, known, methodSchema)
    if (id !== undefined && !row) throw noMethod(id)
    if (named && named.id !== known) {
      throw new Refusal(
        400,
        `a login MFA method configuration with the method name ${name} already exists: choose another method_name`,
      )
    }
    return row
  }

  #rename(tx: Tx, { id, name }: MethodRow, before: string): void {
    if (name === before) return
    if (before !== '') tx.remove(this.#views.methodNames, hashOf(before))
    if (name !== '') tx.create(this.#views.methodNames, hashOf(name), { id })
  }

  /** An enforcement begins to use it: a deletion that has looked at the enforcements looks again. Undefined: there is no such method. */
  async touch(tx: Tx, id: string): Promise<MethodRow | undefined> {
    if (!isId(id)) return undefined
    const { methods, options } = this.#views
    const row = await tx.get(methods, id, methodSchema)
    if (row) tx.put(methods, id, { ...row, touched: base62(options.random, 8) })
    return row
  }

  /** An absent one is fine. `users`: all whose enforcements may name it. The secrets are still to be swept. */
  async delete(id: string, users: readonly EnforcementStore[]): Promise<boolean> {
    if (!isId(id)) return false
    const { methods, methodNames, erasing } = this.#views
    return methods.transaction(async (tx) => {
      const row = await tx.get(methods, id, methodSchema)
      if (!row) return false
      for (const store of users) {
        const user = (await store.rules()).find((rule) => rule.methodIds.includes(id))
        if (user) {
          throw new Refusal(400, `methodID is still used by an enforcement configuration with ID: ${user.id}`)
        }
      }
      tx.remove(methods, id)
      if (row.name !== '') tx.remove(methodNames, hashOf(row.name))
      if ((await tx.get(erasing, id, emptySchema)) === undefined) tx.create(erasing, id, { format: 1 })
      return true
    })
  }
}

export const noMethod = (id: string, status = 404) =>
  new Refusal(status, `configuration for method ID ${JSON.stringify(id)} does not exist`)

function checked(change: MethodChange): Omit<MethodRow, 'format' | 'id' | 'name' | 'touched'> {
  const { algorithm, digits, skew, keySize, qrSize, issuer, maxAttempts, selfEnrollment } = change
  const period = Math.floor(change.periodMs / 1000)
  if (algorithm !== 'SHA1' && algorithm !== 'SHA256' && algorithm !== 'SHA512') {
    throw new Refusal(400, 'unrecognized algorithm')
  }
  if (digits !== 6 && digits !== 8) throw new Refusal(400, 'digits can only be 6 or 8')
  if (period <= 0) throw new Refusal(400, 'period must be greater than zero')
  if (period > maxPeriod) throw new Refusal(400, `period must be at most ${maxPeriod} seconds, it is ${period}`)
  if (skew !== 0 && skew !== 1) throw new Refusal(400, 'skew must be 0 or 1')
  if (keySize <= 0) throw new Refusal(400, 'key_size must be greater than zero')
  if (keySize > maxKeyBytes) throw new Refusal(400, `key_size must be at most ${maxKeyBytes} bytes, it is ${keySize}`)
  if (issuer === '') throw new Refusal(400, 'issuer must be set')
  checkName('issuer', issuer)
  if (maxAttempts < 0) throw new Refusal(400, 'max_validation_attempts must be greater than zero')
  if (qrSize < 0 || qrSize > maxPixels) {
    throw new Refusal(400, `qr_size must be from 0 (no picture) to ${maxPixels} pixels, it is ${qrSize}`)
  }
  const shape = { issuer, period, digits, algorithm, skew, keySize, qrSize, selfEnrollment } as const
  return { ...shape, maxAttempts: maxAttempts || defaultMaxAttempts }
}
