/**
 * Rows of the provider, below `ns/<id>/identity/oidc/`:
 *
 *     scope/<name>          claims that a client can ask for, and the providers that offer it
 *     assignment/<name>     who may log in to a client, and the clients that say so
 *     client/<name>         an application that people log in to; its key's row names it too
 *     client-id/<id>        -> client
 *     provider/<name>       an issuer: which clients may use it, which scopes it offers
 *     code/<h(code)>        an authorization code; until it is due
 *
 * `allow_all` and the provider `default` are there without a row.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'

export type ScopeRow = {
  readonly format: 1
  readonly template: string
  readonly description: string
  /** As long as there are any it stays. */
  readonly providers: readonly string[]
}

export type AssignmentRow = {
  readonly format: 1
  readonly entityIds: readonly string[]
  readonly groupIds: readonly string[]
  /** As long as there are any it stays. */
  readonly clients: readonly string[]
}

export type ClientRow = {
  readonly format: 1
  readonly clientId: string
  /** Of confidential clients; '' for public ones. */
  readonly clientSecret: string
  readonly type: 'confidential' | 'public'
  readonly key: string
  readonly redirectUris: readonly string[]
  readonly assignments: readonly string[]
  readonly idTokenTtlMs: number
  readonly accessTokenTtlMs: number
  /** The flows that it may use. */
  readonly authorizationCode: boolean
  readonly clientCredentials: boolean
}

export type ProviderRow = {
  readonly format: 1
  /** As set; '' for the address of the server. */
  readonly issuer: string
  readonly allowedClientIds: readonly string[]
  readonly scopes: readonly string[]
}

export type CodeRow = {
  readonly format: 1
  readonly provider: string
  readonly clientId: string
  readonly entityId: string
  readonly redirectUri: string
  readonly nonce: string
  readonly scopes: readonly string[]
  /** Seconds since the epoch; only when the client asked for it. */
  readonly authTime?: number | undefined
  readonly challenge?: Challenge | undefined
  readonly dueAt: number
}

/** RFC 7636. */
export type Challenge = { readonly value: string; readonly method: ChallengeMethod }
export const challengeMethods = ['plain', 'S256'] as const
export type ChallengeMethod = (typeof challengeMethods)[number]

const format = z.literal(1)
const strings = z.array(z.string())
export const scopeSchema: z.ZodType<ScopeRow> = z.looseObject({
  format,
  template: z.string(),
  description: z.string(),
  providers: strings,
})
export const assignmentSchema: z.ZodType<AssignmentRow> = z.looseObject({
  format,
  entityIds: strings,
  groupIds: strings,
  clients: strings,
})
export const clientSchema: z.ZodType<ClientRow> = z.looseObject({
  format,
  clientId: z.string(),
  clientSecret: z.string(),
  type: z.enum(['confidential', 'public']),
  key: z.string(),
  redirectUris: strings,
  assignments: strings,
  idTokenTtlMs: z.number(),
  accessTokenTtlMs: z.number(),
  authorizationCode: z.boolean(),
  clientCredentials: z.boolean(),
})
export const providerSchema: z.ZodType<ProviderRow> = z.looseObject({
  format,
  issuer: z.string(),
  allowedClientIds: strings,
  scopes: strings,
})
export const codeSchema: z.ZodType<CodeRow> = z.looseObject({
  format,
  provider: z.string(),
  clientId: z.string(),
  entityId: z.string(),
  redirectUri: z.string(),
  nonce: z.string(),
  scopes: strings,
  authTime: z.number().optional(),
  challenge: z.looseObject({ value: z.string(), method: z.enum(challengeMethods) }).optional(),
  dueAt: z.number(),
})
export const clientPointerSchema: z.ZodType<{ readonly name: string }> = z.looseObject({ name: z.string() })

/** What a client may show is no part of a row's name. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')
