import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { standardDefaults } from './defaults.ts'
import { applyJsonPatch, type JsonPatchOperation } from './patch/json-patch.ts'
import { admit } from './webhook.ts'

interface Recorded {
  readonly case: string
  readonly pod: { metadata: { namespace: string } }
  readonly allowed: boolean
  readonly status?: { message: string }
  readonly patch?: readonly JsonPatchOperation[]
}
const recorded: Recorded[] = JSON.parse(
  readFileSync(new URL('../../test/recorded/injector-patches.json', import.meta.url), 'utf8'),
)
const defaults = { ...standardDefaults, address: 'https://vault.vault.svc:8200', image: 'hashicorp/vault:1.20' }

/** VAULT_CONFIG as the object that it is, its templates by destination: their order is random in the original. */
function decoded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decoded)
  if (typeof value !== 'object' || value === null) return value
  if ('name' in value && value.name === 'VAULT_CONFIG' && 'value' in value) {
    const config =
      typeof value.value === 'string' ? JSON.parse(Buffer.from(value.value, 'base64').toString()) : value.value
    return { name: 'VAULT_CONFIG', value: inTemplateOrder(config['base64 of JSON'] ?? config) }
  }
  // The original writes other init containers anew and adds an empty `resources` to them; we leave them as they came.
  const entries = Object.entries(value).filter(([key, v]) => !(key === 'resources' && JSON.stringify(v) === '{}'))
  return Object.fromEntries(entries.map(([key, v]) => [key, decoded(v)]))
}

const inTemplateOrder = (config: { template?: { destination: string }[] }) => ({
  ...config,
  template: config.template?.toSorted((a, b) => a.destination.localeCompare(b.destination)),
})

const kinds = (patch: readonly JsonPatchOperation[]) =>
  patch.map(
    ({ op, path, value }) => `${op} ${path} ${typeof value === 'object' && value && 'name' in value ? value.name : ''}`,
  )

describe('pods that vault-k8s 1.7 was asked about', () => {
  it('are all there', () => expect(recorded.length).toBe(44))

  it.each(recorded)('$case: the same pod comes out', (one) => {
    const verdict = admit({ object: one.pod, namespace: one.pod.metadata.namespace }, defaults)
    expect({ allowed: verdict.allowed, message: verdict.message }).toEqual({
      allowed: one.allowed,
      message: one.status?.message,
    })
    expect(verdict.patch === undefined).toBe(one.patch === undefined)
    if (!one.patch || !verdict.patch) return
    const ours = verdict.patch as readonly JsonPatchOperation[]
    expect(decoded(applyJsonPatch(one.pod, ours))).toEqual(decoded(applyJsonPatch(one.pod, one.patch)))
    // The one patch whose steps differ: the original removes and re-adds init containers to put the agent first.
    if (one.case !== 'init-first') expect(kinds(ours)).toEqual(kinds(one.patch))
  })
})
