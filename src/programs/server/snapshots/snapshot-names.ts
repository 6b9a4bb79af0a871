/** `coffer-<cluster>-<time>.snap`: tells this cluster's from those of others in the same place, and sorts by time. */
export class SnapshotNames {
  readonly prefix: string
  readonly #form: RegExp

  constructor(clusterId: string) {
    this.prefix = `coffer-${clusterId.replace(/[^0-9a-f]/g, '').slice(0, 12)}-`
    this.#form = new RegExp(`^${this.prefix}\\d{8}T\\d{6}Z\\.snap$`)
  }

  at(ms: number): string {
    return `${this.prefix}${new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')}.snap`
  }

  isOurs(name: string): boolean {
    return this.#form.test(name)
  }

  /**
   * All but the newest of `names`. `latest` was taken just now: what is called later is from when the storage's clock was
   * ahead, so it is older; else the new ones would go and those would stay.
   */
  beyond(count: number, names: readonly string[], latest: string): string[] {
    const sorted = [...names].sort()
    return [...sorted.filter((name) => name > latest), ...sorted.filter((name) => name <= latest)].slice(0, -count)
  }
}

/** Where scheduled snapshots go. */
export interface SnapshotPlace {
  /** For people: "/var/backups", "s3://bucket/prefix/". */
  readonly where: string
  /** Whether what was taken last, there, is not here: another place than this, or emptied. */
  lacks(lastWhere: string | undefined): Promise<boolean>
  /** There whole or not at all. Answers its size. */
  write(body: AsyncIterable<Uint8Array>, at: number, signal: AbortSignal): Promise<{ name: string; bytes: number }>
  /** Removes all of this cluster's but the newest, which is `latest`. Answers how many there are then. */
  keepNewest(count: number, latest: string, signal: AbortSignal): Promise<number>
}
