/** sys/config/cors: which web pages of other origins may call. */
import { operation, Refusal, type Route } from '../../../../contracts/request.ts'
import type { HttpSettings } from './http-settings.ts'

/** What browsers may always send. */
const standardHeaders = [
  'Content-Type',
  'Authorization',
  'X-Vault-Token',
  'X-Vault-MFA',
  'X-Vault-No-Request-Forwarding',
  'X-Vault-Wrap-Format',
  'X-Vault-Wrap-TTL',
  'X-Requested-With',
  'X-Vault-AWS-IAM-Server-ID',
  'X-Vault-Policy-Override',
  'X-Vault-Namespace',
]

const input = {
  allowed_origins: { kind: 'commaList', description: 'Origins such as https://app.example, or only *' },
  allowed_headers: { kind: 'commaList', description: 'Headers that pages may send besides the usual ones' },
  allow_credentials: { kind: 'bool', description: 'Cookies and client certificates may be sent', default: false },
} as const

export function corsRoutes(settings: HttpSettings): Route[] {
  const root = { access: 'sudo', namespaces: 'root' } as const
  const read = operation({
    ...root,
    input: {},
    handle: async () => {
      const cors = await settings.readCors()
      if (!cors) return { kind: 'data', data: { enabled: false }, topLevel: true }
      const { origins, headers, credentials } = cors
      const data = {
        enabled: true,
        allowed_origins: origins,
        allowed_headers: headers,
        allow_credentials: credentials,
      }
      return { kind: 'data', data, topLevel: true }
    },
  })
  const update = operation({
    ...root,
    input,
    handle: async (call) => {
      const { allowed_origins: origins = [], allowed_headers: more = [], allow_credentials: credentials } = call.input
      if (origins.length === 0) throw new Refusal(400, 'at least one origin or the wildcard must be provided')
      if (origins.includes('*') && origins.length > 1) {
        throw new Refusal(400, "to allow all origins the '*' must be the only value for allowed_origins")
      }
      const wrong = more.find((name) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      if (wrong !== undefined) throw new Refusal(400, `${JSON.stringify(wrong)} is not the name of a header`)
      await settings.writeCors({ origins, headers: [...standardHeaders, ...more], credentials })
      return { kind: 'none' }
    },
  })
  const remove = operation({
    ...root,
    input: {},
    handle: async () => {
      await settings.removeCors()
      return { kind: 'none' }
    },
  })
  return [{ path: 'config/cors', summary: 'Cross-origin requests.', on: { read, update, delete: remove } }]
}
