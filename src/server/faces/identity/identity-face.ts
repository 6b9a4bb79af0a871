/** identity/: who someone is across auth methods, as administrators see and set it. One per namespace. */
import type { Mounted } from '../../contracts/mounted.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import type { MfaStore } from '../../identity/mfa/mfa-store.ts'
import { aliasRoutes } from './aliases.ts'
import { entityRoutes } from './entities.ts'
import { groupAliasRoutes } from './group-aliases.ts'
import { groupRoutes } from './groups.ts'
import { lookupRoutes } from './lookups.ts'
import { mfaEnforcementRoutes } from './mfa/enforcements.ts'
import { mfaMethodRoutes } from './mfa/methods.ts'
import { oidcRoutes } from './oidc.ts'
import { oidcProviderRoutes, type ProviderFaceOptions } from './provider/provider-routes.ts'

export interface IdentityFaceOptions extends ProviderFaceOptions {
  readonly identity: IdentityStore
  readonly mfa: MfaStore
}

export function createIdentityFace(options: IdentityFaceOptions): Mounted {
  const { identity, mfa } = options
  return {
    routes: [
      ...entityRoutes(identity),
      ...aliasRoutes(identity),
      ...groupRoutes(identity),
      ...groupAliasRoutes(identity),
      ...lookupRoutes(identity),
      ...oidcRoutes({ identity, oidc: identity.oidc }),
      ...oidcProviderRoutes(options),
      ...mfaMethodRoutes(mfa),
      ...mfaEnforcementRoutes(mfa),
    ],
    tick: (_fence, signal) => identity.tick(signal),
  }
}
