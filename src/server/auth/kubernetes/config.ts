import { createPublicKey, X509Certificate } from 'node:crypto'
import { operation, Refusal, type Route } from '../../contracts/request.ts'

export interface KubernetesConfig {
  readonly host: string
  /** Empty: the CA of the pod that this server runs in, if there is one. */
  readonly caCert: string
  /** Empty: the pod's own token, else the token that logs in. */
  readonly reviewerJwt: string
  /** Keys for checking signatures here, before the API server is asked. */
  readonly pemKeys: readonly string[]
  readonly issuer: string
  readonly disableIssValidation: boolean
  readonly disableLocalCaJwt: boolean
}

export const configKey = 'config'

export const configSchema = {
  parse(value: unknown): KubernetesConfig {
    const row: Partial<KubernetesConfig> = typeof value === 'object' && value !== null ? value : {}
    if (typeof row.host !== 'string') throw new Error('not a configuration of the Kubernetes auth method')
    const { host, caCert = '', reviewerJwt = '', pemKeys = [], issuer = '' } = row
    const { disableIssValidation = true, disableLocalCaJwt = false } = row
    return { host, caCert, reviewerJwt, pemKeys, issuer, disableIssValidation, disableLocalCaJwt }
  },
}

const fields = {
  kubernetes_host: { kind: 'string', description: 'URL of the API server.', required: true },
  kubernetes_ca_cert: { kind: 'string', description: 'PEM of the CA that signed its certificate.', default: '' },
  token_reviewer_jwt: { kind: 'string', description: 'Token that may create TokenReviews.', default: '' },
  pem_keys: { kind: 'commaList', description: 'PEM public keys or certificates that sign tokens.', default: [] },
  issuer: { kind: 'string', description: 'The issuer that tokens must name.', default: '', deprecated: true },
  disable_iss_validation: { kind: 'bool', description: 'Not to look at the issuer.', default: true, deprecated: true },
  disable_local_ca_jwt: {
    kind: 'bool',
    description: "Not to use this server's own pod's CA and token.",
    default: false,
  },
} as const

export const configRoute: Route = {
  path: 'config',
  summary: 'How to ask the cluster about tokens.',
  on: {
    read: operation({
      input: {},
      async handle(call) {
        const config = await call.storage.get(configKey, configSchema)
        if (!config) return { kind: 'none' }
        const data = {
          disable_iss_validation: config.disableIssValidation,
          disable_local_ca_jwt: config.disableLocalCaJwt,
          issuer: config.issuer,
          kubernetes_ca_cert: config.caCert,
          kubernetes_host: config.host,
          pem_keys: config.pemKeys,
          token_reviewer_jwt_set: config.reviewerJwt !== '',
        }
        return { kind: 'data', data }
      },
    }),
    update: operation({
      input: fields,
      async handle(call) {
        const { kubernetes_host: host = '', kubernetes_ca_cert: caCert } = call.input
        const { pem_keys: pemKeys, disable_local_ca_jwt: disableLocalCaJwt } = call.input
        if (host === '') throw new Refusal(400, 'no host provided')
        if (disableLocalCaJwt && caCert === '') {
          throw new Refusal(400, 'kubernetes_ca_cert must be given when disable_local_ca_jwt is true')
        }
        const config: KubernetesConfig = {
          host: checkHost(host),
          caCert: checkCa(caCert),
          // `kubectl create token` ends its answer with a line break, which no HTTP header may hold.
          reviewerJwt: call.input.token_reviewer_jwt.trim(),
          pemKeys: pemKeys.map(checkKey),
          issuer: call.input.issuer,
          disableIssValidation: call.input.disable_iss_validation,
          disableLocalCaJwt,
        }
        await call.transaction(async (tx) => tx.put(call.storage, configKey, { ...config }))
        return { kind: 'none' }
      },
    }),
  },
}

function checkHost(host: string): string {
  const url = URL.canParse(host) ? new URL(host) : undefined
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new Refusal(400, 'kubernetes_host must be a URL such as https://192.0.2.1:6443')
  }
  return host
}

function checkCa(pem: string): string {
  if (pem === '') return pem
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    if (blocks.length === 0) throw new Error('no certificate')
    for (const block of blocks) new X509Certificate(block)
    return pem
  } catch (cause) {
    throw new Refusal(400, 'kubernetes_ca_cert is not a PEM certificate', { cause })
  }
}

function checkKey(pem: string): string {
  try {
    readPublicKey(pem)
    return pem
  } catch (cause) {
    throw new Refusal(400, 'pem_keys must be PEM public keys or certificates', { cause })
  }
}

export function readPublicKey(pem: string) {
  return createPublicKey(
    pem.includes('CERTIFICATE') ? new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' }) : pem,
  )
}
