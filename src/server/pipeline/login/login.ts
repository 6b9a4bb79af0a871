/** What a login is beside its method's own checks: lockout before, the entity and the token after. */
import type { Lockout } from '../../contracts/access/admission.ts'
import type { AuthMethod, LoginGrant } from '../../contracts/access/auth.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import { type Call, type MountInfo, type Operation, Refusal, type Reply } from '../../contracts/request.ts'
import type { Mount } from '../../mounts/mount.ts'
import type { NamespaceNouns } from '../access/namespace-nouns.ts'

export interface Login {
  readonly mount: Mount
  readonly namespace: NamespaceInfo
  readonly call: Call
  readonly lockout: Lockout | undefined
}

/** Runs a login's operation; failures of a user whom the method can name are counted, until a token was made for them. */
export async function guardedLogin(operation: Operation, login: Login): Promise<Reply> {
  const { mount, namespace, call, lockout } = login
  const who = lockout && (await identified(mount, call))
  if (!lockout || who?.alias === undefined) return operation.handle(call)
  await lockout.check(namespace.id, mount.info, who.alias)
  try {
    const reply = await operation.handle(call)
    return reply.kind === 'login' ? { ...reply, user: who.alias } : reply
  } catch (error) {
    const wrong = error instanceof Refusal && (error.status === 400 || error.status === 403)
    if (wrong) await lockout.failed(namespace.id, mount.info, who.alias)
    throw error
  }
}

/** A request that can't be read has no name: the operation itself says why. */
export async function identified(mount: Mount, call: Call): Promise<{ alias?: string; role?: string } | undefined> {
  const method: AuthMethod = mount.engine
  if (mount.info.class !== 'auth' || !method.identify) return undefined
  return method.identify(call).catch(() => undefined)
}

/** The entity that the login belongs to; '' when the method names nobody. */
export async function entityOf(grant: LoginGrant, mount: MountInfo, nouns: NamespaceNouns): Promise<string> {
  const { alias } = grant
  if (!alias || alias.name === '') return ''
  return nouns.identity.login({
    mountAccessor: mount.accessor,
    mountType: mount.type,
    mountPath: mount.path,
    name: alias.name,
    metadata: alias.metadata,
    ...(alias.groups ? { groups: alias.groups } : {}),
  })
}

/** What the mount is tuned to counts before what the role says; the "default-" kinds only say what it is when the other says nothing. */
export function tokenTypeOf(role: LoginGrant['tokenType'], mount: MountInfo): 'service' | 'batch' {
  const tuned = mount.config.tokenType
  if (tuned === 'service' || tuned === 'batch') return tuned
  if (role === 'service' || role === 'batch') return role
  if (role === 'default-service') return 'service'
  if (role === 'default-batch') return 'batch'
  return tuned === 'default-batch' ? 'batch' : 'service'
}
