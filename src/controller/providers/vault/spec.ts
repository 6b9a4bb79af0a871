import * as z from 'zod'
import { ProviderError } from '../provider.ts'

const keySelector = z.object({
  name: z.string().default(''),
  key: z.string().optional(),
  namespace: z.string().optional(),
})
const serviceAccountRef = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  audiences: z.array(z.string()).default([]),
})

const authSchema = z.looseObject({
  namespace: z.string().optional(),
  tokenSecretRef: keySelector.optional(),
  kubernetes: z
    .object({
      mountPath: z.string().default('kubernetes'),
      role: z.string(),
      serviceAccountRef: serviceAccountRef.optional(),
      secretRef: keySelector.optional(),
    })
    .optional(),
})

const specSchema = z.object({
  server: z.string(),
  path: z.string().optional(),
  version: z.enum(['v1', 'v2']).default('v2'),
  namespace: z.string().optional(),
  auth: authSchema.optional(),
  caBundle: z.string().optional(),
  caProvider: z
    .object({
      type: z.enum(['Secret', 'ConfigMap']),
      name: z.string(),
      key: z.string().default('ca.crt'),
      namespace: z.string().optional(),
    })
    .optional(),
  tls: z.object({ certSecretRef: keySelector.optional(), keySecretRef: keySelector.optional() }).optional(),
  headers: z.record(z.string(), z.string()).default({}),
  readYourWrites: z.boolean().default(false),
  forwardInconsistent: z.boolean().default(false),
})
export type VaultSpec = z.infer<typeof specSchema>
export type VaultAuth = z.infer<typeof authSchema>
export type KeySelector = z.infer<typeof keySelector>

const supportedAuth = 'kubernetes (serviceAccountRef or secretRef), tokenSecretRef, or none'

export function parseVaultSpec(given: unknown, namespace: string): VaultSpec {
  const parsed = specSchema.safeParse(given)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw invalid(
      `spec.provider.vault${issue?.path.map((part) => `.${String(part)}`).join('') ?? ''}: ${issue?.message}`,
    )
  }
  const spec = parsed.data
  if (spec.auth) checkAuth(spec.auth)
  if (spec.caProvider?.namespace !== undefined) throw invalid('caProvider.namespace must not be set in a SecretStore')
  for (const selector of selectorsOf(spec)) {
    if (selector?.namespace !== undefined && selector.namespace !== namespace) {
      throw invalid(
        'namespace should either be empty or match the namespace of the SecretStore for a namespaced SecretStore',
      )
    }
  }
  return spec
}

function checkAuth(auth: VaultAuth): void {
  if (auth.tokenSecretRef || auth.kubernetes) return
  const asked = Object.keys(auth).filter((name) => name !== 'namespace' && auth[name] !== undefined)
  if (asked.length === 0) throw invalid('cannot initialize Vault client: no valid auth method specified')
  throw invalid(`spec.provider.vault.auth.${asked[0]} is not supported; supported are ${supportedAuth}`)
}

const selectorsOf = (spec: VaultSpec) => [
  spec.auth?.tokenSecretRef,
  spec.auth?.kubernetes?.serviceAccountRef,
  spec.auth?.kubernetes?.secretRef,
  spec.tls?.certSecretRef,
  spec.tls?.keySecretRef,
]

export const invalid = (message: string) => new ProviderError('invalid', message)
