import { createHash } from 'node:crypto'

const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
export const hashLabel = 'pod-template-hash'

/** Ten letters that are the same for equal pod templates, whatever the order of their members. */
export function templateHash(template: unknown, collisions = 0): string {
  const digest = createHash('sha256')
    .update(`${collisions}\n${canonical(template)}`)
    .digest()
  return [...digest.subarray(0, 10)].map((byte) => alphabet[byte % alphabet.length]).join('')
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined && member !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}
