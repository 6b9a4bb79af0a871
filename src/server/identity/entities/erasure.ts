/**
 * Takes an entity away. Its row goes in the first commit, so from then on its tokens are refused and nobody finds it; what
 * else names it goes in the same commit, or, when that would be too much, is written down and goes in the next ones, which
 * any node can finish.
 */
import * as z from 'zod'
import type { Schema, Tx } from '../../contracts/secret-storage.ts'
import type { GroupIndex } from '../groups/group-index.ts'
import { putGroup, replaceMember } from '../groups/group-members.ts'
import {
  aliasIdKey,
  aliasKey,
  entityNameKey,
  type IdentityRows,
  mfaHolderKey,
  mfaSecretKey,
  vouchedKey,
} from '../identity-rows.ts'
import type { EntityRow } from './entity-row.ts'

/** Rows besides those that every deletion writes. */
const rowsAtOnce = 100
/** Further member rows make a group's change two rows. */
const groupsAtOnce = 50

const eraseSchema: Schema<{ keys: readonly string[] }> = z.looseObject({ keys: z.array(z.string()) })

export class Erasure {
  readonly #rows: IdentityRows
  readonly #index: GroupIndex

  constructor(rows: IdentityRows, index: GroupIndex) {
    this.#rows = rows
    this.#index = index
  }

  async entity(id: string): Promise<void> {
    const left = await this.#rows.view.transaction(async (tx) => {
      const row = await this.#rows.entity(tx, id)
      if (!row) return false
      const index = await this.#index.current(tx)
      const keys = keysOf(row)
      const groups = index.directOf(id)
      tx.remove(this.#rows.entities, id)
      tx.remove(this.#rows.view, entityNameKey(row.name))
      await this.#rows.bumpGuard(tx)
      const more = keys.length > rowsAtOnce || groups.length > groupsAtOnce
      if (more) tx.create(this.#rows.erasing, id, { keys })
      else {
        for (const key of keys) tx.remove(this.#rows.view, key)
        this.#leave(tx, index, id, groups)
      }
      return more
    })
    if (left) await this.#finish(id)
  }

  /** Finishes what a node that died had begun. */
  async resume(signal: AbortSignal): Promise<void> {
    for await (const ids of this.#rows.names(this.#rows.erasing, '')) {
      for (const id of ids) {
        if (signal.aborted) return
        await this.#finish(id)
      }
    }
  }

  async #finish(id: string): Promise<void> {
    while (await this.#rows.view.transaction((tx) => this.#step(tx, id)));
  }

  /** False when nothing is left. */
  async #step(tx: Tx, id: string): Promise<boolean> {
    const intent = await tx.get(this.#rows.erasing, id, eraseSchema)
    if (!intent) return false
    const index = await this.#index.current(tx)
    const groups = index.directOf(id)
    this.#leave(tx, index, id, groups.slice(0, groupsAtOnce))
    const now = intent.keys.slice(0, rowsAtOnce)
    for (const key of now) {
      // A login may have given the alias to a new entity in the meantime.
      const pointer = key.startsWith('alias') ? await this.#rows.pointer(tx, key) : undefined
      if (!pointer || pointer.id === id) tx.remove(this.#rows.view, key)
    }
    const keys = intent.keys.slice(rowsAtOnce)
    if (keys.length > 0 || groups.length > groupsAtOnce) tx.put(this.#rows.erasing, id, { keys })
    else tx.remove(this.#rows.erasing, id)
    return true
  }

  #leave(tx: Tx, index: GroupIndex, id: string, groups: readonly string[]): void {
    for (const name of groups) {
      const group = index.get(name)
      if (group) putGroup(this.#rows, tx, replaceMember(this.#rows, tx, group, [id], []))
    }
  }
}

function keysOf(row: EntityRow): string[] {
  const aliases = row.aliases.flatMap((alias) => [
    aliasKey(alias.mountAccessor, alias.name),
    aliasIdKey(alias.id),
    ...alias.groups.map((name) => vouchedKey(alias.mountAccessor, name, row.id)),
  ])
  const secrets = (row.mfaSecrets ?? []).flatMap((name) => [mfaSecretKey(name), mfaHolderKey(name)])
  return [...aliases, ...row.mergedIds.map((id) => `entity/${id}`), ...secrets]
}
