/** The keys that people's authenticator apps hold: made, shown once, destroyed. */
import { qrPng } from '../../../lib/qr-code.ts'
import { otpauthUrl } from '../../../lib/totp.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { type EntityRow, entityRowSchema, liveEntity } from '../entities/entity-row.ts'
import { isId, mfaHolderKey, mfaSecretKey } from '../identity-rows.ts'
import { emptySchema, type MethodRow, type SecretRow, secretSchema } from './mfa-rows.ts'
import { type MfaViews, namesIn } from './mfa-views.ts'

export interface NewSecret {
  readonly url: string
  /** PNG, base64; '' when the method has no picture. */
  readonly barcode: string
}

export class TotpSecrets {
  readonly #views: MfaViews

  constructor(views: MfaViews) {
    this.#views = views
  }

  /** 'known': there is one already, and it is not shown again. */
  async generate(method: MethodRow, entityId: string): Promise<NewSecret | 'known'> {
    const { shown, row } = await this.make(method, entityId)
    const { all } = this.#views
    const made = await all.transaction(async (tx) => {
      const entity = await this.#entity(tx, entityId)
      if (!entity) throw new Refusal(400, 'invalid entity ID')
      if (holds(entity, method.id)) return false
      this.keep(tx, entity, method.id, row)
      return true
    })
    return made ? shown : 'known'
  }

  /** A key that is nobody's yet. */
  async make(method: MethodRow, entityId: string): Promise<{ readonly shown: NewSecret; readonly row: SecretRow }> {
    const key = Buffer.from(this.#views.options.random(method.keySize))
    const url = otpauthUrl(key, method.issuer, entityId, method)
    const barcode = await barcodeOf(url, method.qrSize)
    const { period, digits, algorithm, skew } = method
    return {
      shown: { url, barcode },
      row: { format: 1, key: key.toString('base64'), period, digits, algorithm, skew },
    }
  }

  /** The entity, as it is in this transaction, has none for the method. Answers it with it. */
  keep(tx: Tx, entity: EntityRow, methodId: string, row: SecretRow): EntityRow {
    const { all } = this.#views
    const name = `${entity.id}/${methodId}`
    tx.create(all, below(mfaSecretKey(name)), { ...row })
    tx.create(all, below(mfaHolderKey(name)), { format: 1 })
    const holder = { ...entity, mfaSecrets: [...(entity.mfaSecrets ?? []), name] }
    this.#putEntity(tx, holder)
    return holder
  }

  /** A missing secret is fine; Refusal 400 for a missing entity. */
  async destroy(methodId: string, entityId: string): Promise<void> {
    const { all } = this.#views
    await all.transaction(async (tx) => {
      const entity = await this.#entity(tx, entityId)
      if (!entity) throw new Refusal(400, 'invalid entity ID')
      const gone = namesFor(entity, methodId)
      if (gone.length === 0) return
      for (const name of gone) {
        tx.remove(all, below(mfaSecretKey(name)))
        tx.remove(all, below(mfaHolderKey(name)))
      }
      const left = (entity.mfaSecrets ?? []).filter((name) => !gone.includes(name))
      this.#putEntity(tx, { ...entity, mfaSecrets: left })
    })
  }

  /** The secret with which the entity answers that method. */
  async of(tx: Tx, entity: EntityRow, methodId: string): Promise<SecretRow | undefined> {
    const name = nameFor(entity, methodId)
    return name === undefined ? undefined : tx.get(this.#views.all, below(mfaSecretKey(name)), secretSchema)
  }

  /** Of a method that was deleted: all secrets of this namespace. What entities say of them is dropped with the next change of theirs. */
  async sweep(methodId: string, signal?: AbortSignal): Promise<void> {
    const { all, holders } = this.#views
    for await (const entityId of namesIn(holders, `${methodId}/`)) {
      if (signal?.aborted) return
      const name = `${entityId}/${methodId}`
      await all.transaction(async (tx) => {
        if ((await tx.get(all, below(mfaHolderKey(name)), emptySchema)) === undefined) return
        tx.remove(all, below(mfaSecretKey(name)))
        tx.remove(all, below(mfaHolderKey(name)))
      })
    }
  }

  async #entity(tx: Tx, id: string): Promise<EntityRow | undefined> {
    if (!isId(id)) return undefined
    return liveEntity(await tx.get(this.#entities(), id, entityRowSchema))
  }

  #entities() {
    return this.#views.rows.view(`ns/${this.#views.namespace.id}/identity/entity/`)
  }

  #putEntity(tx: Tx, row: EntityRow): void {
    tx.put(this.#entities(), row.id, { ...row })
  }
}

/** Those of identity-rows.ts begin with the folder that our view is. */
const below = (key: string) => key.slice('mfa/'.length)

const namesFor = (entity: EntityRow, methodId: string) =>
  (entity.mfaSecrets ?? []).filter((name) => name.endsWith(`/${methodId}`))

export const holds = (entity: EntityRow, methodId: string): boolean => namesFor(entity, methodId).length > 0

/** Its own before those of entities that were merged into it. */
function nameFor(entity: EntityRow, methodId: string): string | undefined {
  const names = namesFor(entity, methodId)
  return names.find((name) => name.startsWith(`${entity.id}/`)) ?? names[0]
}

async function barcodeOf(url: string, size: number): Promise<string> {
  if (size === 0) return ''
  const made = await qrPng(url, size)
  if (made === 'too long') {
    throw new Refusal(400, 'no QR code holds a URL of this length: give the method a smaller key_size or qr_size=0')
  }
  if ('tooSmall' in made) {
    throw new Refusal(400, `the QR code takes at least ${made.tooSmall} pixels: give the method a larger qr_size`)
  }
  return made.png.toString('base64')
}
