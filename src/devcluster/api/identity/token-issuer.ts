/** Service account tokens: made, read, and held against what they are bound to (k8s.io/kubernetes/pkg/serviceaccount). */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { isTree, numberAt, type Tree, textAt, treeAt } from '../tree.ts'
import { accountGroups, accountUser, everyone, type User } from './user.ts'

export interface TokenIssuerOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: RandomBytes
  /** `iss`, and the audience of the API server itself. */
  readonly issuer: string
}

export interface TokenGrant {
  readonly account: KubeObject
  readonly audiences: readonly string[]
  readonly seconds: number
  /** After that the token should have been replaced; it is still good. */
  readonly warnAfterSeconds?: number
  readonly boundTo?: { readonly kind: 'Pod' | 'Secret' | 'Node'; readonly object: KubeObject }
}

export type TokenVerdict =
  | { readonly kind: 'valid'; readonly user: User; readonly audiences: readonly string[] }
  /** Not one of ours. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'refused'; readonly why: string }

/** go-jose's leeway: also how long a token outlives what it is bound to while that is being deleted. */
const leewayMs = 60_000

export class TokenIssuer {
  readonly #options: TokenIssuerOptions
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #keyId: string

  constructor(options: TokenIssuerOptions) {
    this.#options = options
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#privateKey = privateKey
    this.#publicKey = createPublicKey(privateKey)
    const der = this.#publicKey.export({ type: 'spki', format: 'der' })
    this.#keyId = createHash('sha256').update(der).digest('base64url')
  }

  get issuer(): string {
    return this.#options.issuer
  }

  /** RFC 7517. */
  keySet(): Tree {
    return {
      keys: [{ use: 'sig', alg: 'ES256', kid: this.#keyId, ...this.#publicKey.export({ format: 'jwk' }) }],
    }
  }

  issue(grant: TokenGrant): { readonly token: string; readonly expiresMs: number } {
    const now = Math.floor(this.#options.clock.now() / 1000)
    const { account } = grant
    const bound = grant.boundTo
    const reference = (object: KubeObject) => ({ name: object.metadata.name, uid: object.metadata.uid })
    const claims = {
      aud: grant.audiences,
      exp: now + grant.seconds,
      iat: now,
      iss: this.issuer,
      jti: uuid(this.#options.random),
      'kubernetes.io': {
        namespace: account.metadata.namespace,
        ...(bound ? { [bound.kind.toLowerCase()]: reference(bound.object) } : {}),
        ...(bound?.kind === 'Pod' ? this.#nodeClaim(bound.object) : {}),
        serviceaccount: reference(account),
        ...(grant.warnAfterSeconds === undefined ? {} : { warnafter: now + grant.warnAfterSeconds }),
      },
      nbf: now,
      sub: accountUser({ namespace: account.metadata.namespace ?? '', name: account.metadata.name ?? '' }),
    }
    const head = encode({ alg: 'ES256', kid: this.#keyId })
    const signed = `${head}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' })
    return { token: `${signed}.${signature.toString('base64url')}`, expiresMs: (now + grant.seconds) * 1000 }
  }

  #nodeClaim(pod: KubeObject): Tree {
    const name = textAt(pod, 'spec', 'nodeName')
    if (!name) return {}
    const uid = this.#options.store.get('nodes', undefined, name)?.metadata.uid
    return { node: { name, ...(uid ? { uid } : {}) } }
  }

  /** `audiences`: those one of which the token must have; the API server's own when none are asked for. */
  check(token: string, audiences: readonly string[] = [this.issuer]): TokenVerdict {
    const [head = '', payload = '', signature = '', more] = token.split('.')
    const claims = decode(payload)
    if (!claims || more !== undefined || claims['iss'] !== this.issuer) return { kind: 'foreign' }
    const header = decode(head)
    if (header?.['kid'] !== this.#keyId) return refused('invalid signature, no keys found')
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' } as const
    const genuine =
      header['alg'] === 'ES256' &&
      verify('sha256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'))
    if (!genuine) return refused('go-jose/go-jose: error in cryptographic primitive')
    const own = Array.isArray(claims['aud']) ? claims['aud'].filter((a) => typeof a === 'string') : []
    const shared = own.filter((audience) => audiences.includes(audience))
    if (shared.length === 0)
      return refused(`token audiences ${goList(own)} is invalid for the target audiences ${goList(audiences)}`)
    const problem = this.#timeProblem(claims) ?? this.#bindingProblem(claims)
    return problem ? refused(problem) : { kind: 'valid', user: this.#userOf(claims), audiences: shared }
  }

  #timeProblem(claims: Tree): string | undefined {
    const now = this.#options.clock.now()
    if (now - leewayMs > (numberAt(claims, 'exp') ?? 0) * 1000) return 'service account token has expired'
    if (now + leewayMs < (numberAt(claims, 'nbf') ?? 0) * 1000) return 'service account token is not valid yet'
    if (now + leewayMs < (numberAt(claims, 'iat') ?? 0) * 1000) return 'service account token is issued in the future'
    return undefined
  }

  #bindingProblem(claims: Tree): string | undefined {
    const kubernetes = treeAt(claims, 'kubernetes.io')
    const namespace = textAt(kubernetes, 'namespace') ?? ''
    const name = textAt(kubernetes, 'serviceaccount', 'name') ?? ''
    const account = this.#options.store.get('serviceaccounts', namespace, name)
    if (!account) return `serviceaccounts "${name}" not found`
    const uid = textAt(kubernetes, 'serviceaccount', 'uid')
    if (account.metadata.uid !== uid)
      return `service account UID (${account.metadata.uid}) does not match claim (${uid})`
    if (this.#ended(account)) return `service account ${namespace}/${name} has been deleted`
    for (const [claim, collection] of boundCollections) {
      const reference = treeAt(kubernetes, claim)
      if (!reference || (claim === 'node' && treeAt(kubernetes, 'pod'))) continue
      const problem = this.#referenceProblem(reference, claim, collection, namespace)
      if (problem) return problem
    }
    return undefined
  }

  #referenceProblem(reference: Tree, claim: string, collection: string, namespace: string): string | undefined {
    const scope = claim === 'node' ? undefined : namespace
    const object = this.#options.store.get(collection, scope, textAt(reference, 'name') ?? '')
    if (!object || this.#ended(object)) return 'service account token has been invalidated'
    const uid = textAt(reference, 'uid')
    if (object.metadata.uid === uid) return undefined
    const what = claim === 'secret' ? 'service account secret' : `service account ${claim}`
    return `${claim} UID (${object.metadata.uid}) does not match ${what} ref claim (${uid})`
  }

  #ended(object: KubeObject): boolean {
    const { deletionTimestamp } = object.metadata
    return deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < this.#options.clock.now() - leewayMs
  }

  #userOf(claims: Tree): User {
    const kubernetes = treeAt(claims, 'kubernetes.io')
    const namespace = textAt(kubernetes, 'namespace') ?? ''
    const extra: Record<string, readonly string[]> = {
      'authentication.kubernetes.io/credential-id': [`JTI=${textAt(claims, 'jti')}`],
    }
    for (const kind of ['pod', 'node']) {
      for (const part of ['name', 'uid']) {
        const value = textAt(kubernetes, kind, part)
        if (value) extra[`authentication.kubernetes.io/${kind}-${part}`] = [value]
      }
    }
    return {
      name: textAt(claims, 'sub') ?? '',
      uid: textAt(kubernetes, 'serviceaccount', 'uid') ?? '',
      groups: [...accountGroups(namespace), everyone],
      extra,
    }
  }
}

const boundCollections: readonly (readonly [string, string])[] = [
  ['secret', 'secrets'],
  ['pod', 'pods'],
  ['node', 'nodes'],
]

const refused = (why: string): TokenVerdict => ({ kind: 'refused', why })
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const goList = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`

function decode(part: string): Tree | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return isTree(value) ? value : undefined
  } catch {
    return undefined
  }
}
