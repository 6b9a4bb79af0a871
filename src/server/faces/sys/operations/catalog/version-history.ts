/** sys/version-history: which versions have opened this storage, and when first. */
import * as z from 'zod'
import { operation, type Route } from '../../../../contracts/request.ts'
import type { Rows, SecretStorage } from '../../../../contracts/secret-storage.ts'

const row = z.looseObject({ format: z.literal(1), installedAt: z.number(), cofferVersion: z.string() })

/** One for the server. */
export class VersionHistory {
  readonly #view: SecretStorage
  readonly #version: string
  readonly #cofferVersion: string

  constructor(options: { rows: Pick<Rows, 'view'>; version: string; cofferVersion: string }) {
    this.#view = options.rows.view('core/versions/')
    this.#version = options.version
    this.#cofferVersion = options.cofferVersion
  }

  /** At each unseal. `now`: the storage's clock, so that nodes agree on the order. */
  async record(now: number): Promise<void> {
    const key = `${this.#version}/${this.#cofferVersion}`
    if (await this.#view.get(key, row)) return
    await this.#view.transaction(async (tx) => {
      if (await tx.get(this.#view, key, row)) return
      tx.create(this.#view, key, { format: 1, installedAt: now, cofferVersion: this.#cofferVersion })
    })
  }

  /** Oldest first; one of Vault's versions is listed once, whatever versions of ours came with it. */
  async list(): Promise<{ readonly version: string; readonly installedAt: number; readonly cofferVersion: string }[]> {
    const keys = await this.#view.list('', { depth: 'all', limit: 1000 })
    const rows = await Promise.all(
      keys.map(async (key) => ({ version: key.split('/')[0] ?? '', ...(await this.#view.get(key, row)) })),
    )
    const known = rows.flatMap(({ version, installedAt, cofferVersion }) =>
      installedAt === undefined || cofferVersion === undefined ? [] : [{ version, installedAt, cofferVersion }],
    )
    known.sort((a, b) => a.installedAt - b.installedAt)
    return known.filter(({ version }, i) => known.findIndex((other) => other.version === version) === i)
  }
}

export function versionHistoryRoutes(history: VersionHistory): Route[] {
  const list = operation({
    input: {},
    namespaces: 'root',
    handle: async () => {
      const versions = await history.list()
      const info = versions.map(({ version, installedAt, cofferVersion }, i) => [
        version,
        {
          timestamp_installed: `${new Date(installedAt).toISOString().slice(0, 19)}Z`,
          commit_date: '',
          build_date: '',
          previous_version: versions[i - 1]?.version ?? null,
          coffer_version: cofferVersion,
        },
      ])
      return {
        kind: 'data',
        data: { key_info: Object.fromEntries(info), keys: versions.map(({ version }) => version) },
      }
    },
  })
  return [{ path: 'version-history', summary: 'The versions that this storage has seen.', on: { list } }]
}
