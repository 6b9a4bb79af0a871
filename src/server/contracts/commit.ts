import type { RandomBytes } from '../../lib/random.ts'

/**
 * A commit's id, and so the version of the rows it writes: 14 lower-case hex digits that say 53 random bits (never 0),
 * because LMDB keeps versions as doubles. Storage refuses ids of another form.
 */
export function commitId(random: RandomBytes): string {
  for (;;) {
    const bytes = Buffer.from(random(7))
    bytes[0] = (bytes[0] ?? 0) & 0x1f
    const id = bytes.toString('hex')
    if (id !== '00000000000000') return id
  }
}

export const commitIdForm = /^[01][0-9a-f]{13}$/
