import { createHash } from 'node:crypto'
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts'
import { canonical } from '../control/json-equal.ts'

const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
export const hashLabel = 'pod-template-hash'

/** Ten letters that are the same for equal pod templates, whatever the order of their members. */
export function templateHash(template: unknown, collisions = 0): string {
  const digest = createHash('sha256')
    .update(`${collisions}\n${canonical(template)}`)
    .digest()
  return [...digest.subarray(0, 10)].map((byte) => alphabet[byte % alphabet.length]).join('')
}

/** Whether pods of both would be the same but for the hash in their labels. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b))
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {}
  return { ...template, metadata: { ...template?.metadata, labels } }
}
