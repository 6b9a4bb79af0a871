import type { Logger } from '../../../lib/log.ts'
import type { LoginGrant } from '../../contracts/access/auth.ts'
import { isWithinCidrs, roleTokensGrant } from '../../contracts/access/role-tokens.ts'
import { type Call, operation, Refusal, type Route } from '../../contracts/request.ts'
import type { Cluster } from './cluster.ts'
import { configKey, configSchema, type KubernetesConfig } from './config.ts'
import { parseSelector, selectorMatches } from './namespace-selector.ts'
import { type KubernetesRole, roleKey, roleSchema } from './role.ts'
import { globListMatches, readToken, type ServiceAccount } from './service-account.ts'

const fields = {
  role: { kind: 'string', description: 'Name of the role.', required: true },
  jwt: { kind: 'string', description: "The service account's token.", required: true },
} as const

interface LoginInput {
  readonly role?: string
  readonly jwt?: string
}

export function loginRoute(options: { cluster: Cluster; log: Logger }): Route {
  return {
    path: 'login',
    summary: 'Exchange the token of a service account for one of this server.',
    on: {
      update: operation({
        input: fields,
        access: 'public',
        effect: 'storage',
        reads: ({ storage, input }) => [
          storage.prefix + configKey,
          ...(typeof input['role'] === 'string' ? [storage.prefix + roleKey(input['role'])] : []),
        ],
        async handle(call) {
          try {
            return { kind: 'login', grant: await logIn(call, options.cluster) }
          } catch (error) {
            const reason = error instanceof Refusal ? reasonOf(error.cause) : undefined
            if (reason !== undefined) options.log.warn('kubernetes.login_refused', { mount: call.mount.path, reason })
            throw error
          }
        },
      }),
    },
  }
}

/** What the client is not told, and an operator needs to know. */
function reasonOf(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : undefined
}

async function logIn(call: Call<LoginInput>, cluster: Cluster): Promise<LoginGrant> {
  const { role: name = '', jwt = '' } = call.input
  if (name === '') throw new Refusal(400, 'missing role')
  if (jwt === '') throw new Refusal(400, 'missing jwt')
  const role = await call.storage.get(roleKey(name), roleSchema)
  if (!role) throw new Refusal(400, `invalid role name ${JSON.stringify(name)}`)
  if (!isWithinCidrs(call.remote.address, role.tokens.boundCidrs)) throw new Refusal(403, 'permission denied')
  const config = await call.storage.get(configKey, configSchema)
  if (!config) throw new Refusal(400, 'could not load backend configuration')
  const account = await readToken(jwt, role, config, call.now)
  if (!globListMatches(role.names, account.name)) throw new Refusal(403, 'service account name not authorized')
  if (!globListMatches(role.namespaces, account.namespace) && role.namespaceSelector === '') {
    throw new Refusal(403, 'namespace not authorized')
  }
  // The review comes before anything else that is asked of the cluster, so that only proven callers cause it.
  await cluster.review(config, jwt, account, role.audience, call.signal)
  await checkNamespace({ call, cluster, config, role, account, jwt })
  return grantFor(name, role, account)
}

async function checkNamespace(facts: {
  readonly call: Pick<Call, 'signal'>
  readonly cluster: Cluster
  readonly config: KubernetesConfig
  readonly role: KubernetesRole
  readonly account: ServiceAccount
  readonly jwt: string
}): Promise<void> {
  const { call, cluster, config, role, account, jwt } = facts
  if (globListMatches(role.namespaces, account.namespace)) return
  const selector = await parseSelector(role.namespaceSelector)
  const labels = await cluster.namespaceLabels(config, jwt, account.namespace, call.signal)
  if (labels && selectorMatches(selector, labels)) return
  throw new Refusal(403, 'namespace not authorized', labels ? {} : { cause: 'the reviewer may not read the namespace' })
}

function grantFor(name: string, role: KubernetesRole, account: ServiceAccount): LoginGrant {
  const metadata = {
    role: name,
    service_account_name: account.name,
    service_account_namespace: account.namespace,
    service_account_secret_name: account.secretName,
    service_account_uid: account.uid,
  }
  return {
    ...roleTokensGrant(role.tokens),
    displayName: `${account.namespace}-${account.name}`,
    metadata,
    alias: { name: aliasOf(role, account), metadata },
    internal: { role: name },
  }
}

export function aliasOf(role: KubernetesRole, account: ServiceAccount): string {
  return role.aliasSource === 'serviceaccount_name' ? `${account.namespace}/${account.name}` : account.uid
}
