/** What search, move and delete have in common: the keys below a folder in byte order, each page's worth, as its reader may see them. */

import type { RandomBytes } from '../../../../lib/random.ts'
import type { Call } from '../../../contracts/request.ts'
import type { SecretStorage } from '../../../contracts/secret-storage.ts'
import { keyRow } from '../keys/key-row.ts'
import { nextTurn } from '../turn.ts'
import { openCursor, sealCursor } from './cursor.ts'

const pageSize = 200

/** Paths below the mount. `folder`: '' or with its slash; `after`: the `next` of an answer, or a path. */
export async function* keysBelow(
  storage: SecretStorage,
  folder: string,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const begin = await openCursor(storage, after)
  let from = begin.startsWith(folder) ? begin.slice(folder.length) : ''
  for (;;) {
    signal.throwIfAborted()
    const page = await storage.list(keyRow(folder), {
      depth: 'all',
      limit: pageSize,
      ...(from !== '' && { after: from }),
    })
    for (const name of page) yield folder + name
    if (page.length < pageSize) return
    from = page.at(-1) ?? ''
    await nextTurn()
  }
}

/** The `next` of an answer that stopped at a key, which its reader may not know of. */
export function cursorAt(
  storage: SecretStorage,
  random: RandomBytes,
  reader: Reader,
  path: string,
): string | Promise<string> {
  return path === '' || reader.mayFind(path) ? path : sealCursor(storage, random, path)
}

/** What one caller may know of the keys of the mount. */
export class Reader {
  readonly #call: Pick<Call, 'permits' | 'mount'>
  #folder: { readonly path: string; readonly listed: boolean } | undefined

  constructor(call: Pick<Call, 'permits' | 'mount'>) {
    this.#call = call
  }

  /** That it exists: by a list of its folder, or by reading it. */
  mayFind(path: string): boolean {
    return this.#mayList(path.slice(0, path.lastIndexOf('/') + 1)) || this.mayRead(path)
  }

  /** Its custom metadata, which reads of the data answer too. */
  mayRead(path: string): boolean {
    return this.permits(`metadata/${path}`, 'read') || this.permits(`data/${path}`, 'read')
  }

  permits(path: string, operation: Parameters<Call['permits']>[1]): boolean {
    return this.#call.permits(this.#call.mount.path + path, operation)
  }

  /** Keys come in order, so that those of one folder mostly follow each other. */
  #mayList(path: string): boolean {
    if (this.#folder?.path !== path) this.#folder = { path, listed: this.permits(`metadata/${path}`, 'list') }
    return this.#folder.listed
  }
}
