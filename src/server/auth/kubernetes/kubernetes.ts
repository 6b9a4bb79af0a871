/** The auth method of pods: a service account proves itself with its token, and the cluster vouches for it. */
import type { AuthMethod, LoginGrant } from '../../contracts/access/auth.ts'
import { roleTokensGrant } from '../../contracts/access/role-tokens.ts'
import type { MountContext, MountType } from '../../contracts/mounted.ts'
import { Refusal } from '../../contracts/request.ts'
import { Cluster, type ReadLocal, readPodFile } from './cluster.ts'
import { configRoute } from './config.ts'
import { aliasOf, loginRoute } from './login.ts'
import { roleKey, roleRoutes, roleSchema } from './role.ts'
import { peekAccount } from './service-account.ts'

export function kubernetesAuth(options: { readLocal?: ReadLocal } = {}): MountType<AuthMethod> {
  return {
    type: 'kubernetes',
    class: 'auth',
    version: 'v0.22.0+builtin',
    create: (context) => createMethod(context, options.readLocal ?? readPodFile),
  }
}

export const kubernetes = kubernetesAuth()

function createMethod(context: MountContext, readLocal: ReadLocal): AuthMethod {
  const { outbound, clock, log, storage } = context
  const cluster = new Cluster({ outbound, clock, readLocal })

  /** The role as it is now: who lost it can't renew. */
  async function renew(grant: LoginGrant): Promise<LoginGrant> {
    const name = grant.internal['role']
    const role = typeof name === 'string' ? await storage.get(roleKey(name), roleSchema) : undefined
    if (!role) throw new Refusal(400, `failed to validate role ${String(name)} during renewal`)
    const { ttlMs, maxTtlMs, periodMs } = roleTokensGrant(role.tokens)
    return { ...grant, ttlMs, maxTtlMs, periodMs }
  }

  return {
    routes: [configRoute, ...roleRoutes, loginRoute({ cluster, log })],
    renew,
    async identify(call) {
      const { role: name, jwt } = call.input
      const account = typeof jwt === 'string' ? peekAccount(jwt) : undefined
      if (typeof name !== 'string') return {}
      const role = await call.storage.get(roleKey(name), roleSchema)
      return { role: name, ...(role && account && { alias: aliasOf(role, account) }) }
    },
  }
}
