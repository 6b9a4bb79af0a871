import type { RootDatabase } from 'lmdb'

export type Database = RootDatabase<Uint8Array, string>

/** No key comes before it. */
export const firstKey = '\u0001'

/** Keys are their UTF-8 bytes, which LMDB orders as bytes. */
const keyEncoder = {
  writeKey: (key: string, target: Buffer, start: number) => start + target.write(key, start, 'utf8'),
  readKey: (source: Buffer, start: number, end: number) => source.toString('utf8', start, end),
}

export async function openEnvironment(file: string, options: { readonly readOnly: boolean }): Promise<Database> {
  // Native code, and only servers need it.
  const lmdb = await import('lmdb')
  return lmdb.open<Uint8Array, string>({
    path: file,
    noSubdir: true,
    readOnly: options.readOnly,
    encoding: 'binary',
    keyEncoder,
    useVersions: true,
    cache: false,
    compression: false,
    // An awaited write is on the disk.
    overlappingSync: false,
    maxReaders: 1024,
    maxDbs: 1,
  })
}

/** For a storage, which also wants to know the version of the row that was read last. */
export async function openStorageFile(file: string): Promise<{ db: Database; lastVersion: () => number }> {
  const { getLastVersion } = await import('lmdb')
  return { db: await openEnvironment(file, { readOnly: false }), lastVersion: getLastVersion }
}

/** Row versions are doubles in LMDB: a commit's id says 53 bits. NaN, which equals no version, for anything else. */
export function versionNumber(id: string): number {
  return Number.parseInt(id, 16)
}

/** By table: on the path of each read, where Number.toString costs more than LMDB. */
export function versionText(version = 0): string {
  const high = Math.floor(version / 2 ** 32)
  const low = version >>> 0
  return hexBytes[high >>> 16] + hex16(high) + hex16(low >>> 16) + hex16(low)
}

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function hex16(value: number): string {
  return `${hexBytes[(value >>> 8) & 0xff]}${hexBytes[value & 0xff]}`
}
