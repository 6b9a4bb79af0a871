/** Answers that wait behind a token of one use: what unwrap gives back is the answer as it would have gone out. */
import { stringifyJson } from '../../lib/json/stringify.ts'
import type { NamespaceInfo } from '../contracts/epochs.ts'
import { Refusal, type WrapInfo } from '../contracts/request.ts'
import { maxRowBytes } from '../contracts/row-size.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'
import type { TokenRow } from '../tokens/token-row.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { WrappingJwt } from './wrapping-jwt.ts'

export interface WrapRequest {
  readonly ttlMs: number
  /** Path of the request whose answer this is. */
  readonly creationPath: string
  readonly namespace: NamespaceInfo
  /** Of the token inside, if the answer made one. */
  readonly wrappedAccessor?: string
  /** The answer had no envelope: `data` of the document holds its bytes. */
  readonly raw?: true
}

export interface Wrapping {
  readonly id: string
  readonly row: TokenRow
  readonly creationTtlMs: number
  readonly creationPath: string
  readonly createdAt: number
  readonly wrappedAccessor?: string
  readonly raw?: true
}

export const wrappingPolicy = 'response-wrapping'

/** The rows that a wrapping token finds in its own cubbyhole, as in Vault: `response` and `wrapinfo`. */
const responseSchema = { parse: (value: unknown) => ({ response: text(value, 'response') }) }
const infoSchema = {
  parse: (value: unknown) => ({
    creationTtlMs: Number(member(value, 'creation_ttl_ms')),
    creationPath: text(value, 'creation_path'),
    createdAt: Number(member(value, 'created_at')),
    wrappedAccessor: member(value, 'wrapped_accessor'),
    raw: member(value, 'raw'),
  }),
}

export class Wrappings {
  readonly #tokens: TokenStore
  readonly #cubbyholes: SecretStorage
  readonly jwt: WrappingJwt

  constructor(options: { readonly rows: Rows; readonly tokens: TokenStore }) {
    this.#tokens = options.tokens
    this.#cubbyholes = options.rows.view('cubbyhole/')
    this.jwt = new WrappingJwt(options.rows)
  }

  /** `response`: a complete JSON document. Refusal 413, before there is a token, for what no row holds. A crash in between leaves a token of one use with nothing behind it, which nobody has. */
  async wrap(response: string, request: WrapRequest): Promise<WrapInfo & { readonly id: string }> {
    const { ttlMs, creationPath, namespace, wrappedAccessor, raw } = request
    const stored = Buffer.from(stringifyJson({ response }))
    if (stored.length > maxRowBytes)
      throw new Refusal(413, `value too large: ${stored.length} bytes, the limit is ${maxRowBytes}`)
    const { id, token, row } = await this.#tokens.create({
      namespace: namespace.id,
      policies: [wrappingPolicy],
      path: creationPath,
      meta: null,
      displayName: '',
      numUses: 1,
      ttlMs,
      explicitMaxTtlMs: ttlMs,
      periodMs: 0,
      renewable: false,
      entityId: '',
      boundCidrs: [],
      noDefaultPolicy: true,
      mount: '',
    })
    const view = this.#cubbyholes
    await view.transaction(async (tx) => {
      // It may have lived so short that it is gone: what is put there now would stay for ever.
      await this.#tokens.check(tx, id)
      tx.create(view, `${id}/response`, stored)
      tx.create(view, `${id}/wrapinfo`, {
        creation_ttl_ms: ttlMs,
        creation_path: creationPath,
        created_at: row.createdAt,
        ...(wrappedAccessor === undefined ? {} : { wrapped_accessor: wrappedAccessor }),
        ...(raw ? { raw } : {}),
      })
    })
    const { accessor, createdAt } = row
    return { id, token, accessor, ttlMs, createdAt, creationPath, ...(wrappedAccessor ? { wrappedAccessor } : {}) }
  }

  /** Undefined: no wrapping token, or none any more. Uses nothing up. */
  async find(text: string): Promise<Wrapping | undefined> {
    const token = await this.jwt.tokenIn(text)
    if (token === undefined || token === '' || this.#tokens.isBatch(token)) return undefined
    const id = this.#tokens.idOf(token)
    const row = await this.#tokens.find(id)
    if (!row?.policies.includes(wrappingPolicy) || (await this.#tokens.usesLeft(id)) !== 1) return undefined
    const info = await this.#cubbyholes.get(`${id}/wrapinfo`, infoSchema)
    if (!info) return undefined
    const { wrappedAccessor, raw, ...rest } = info
    return {
      id,
      row,
      ...rest,
      ...(typeof wrappedAccessor === 'string' ? { wrappedAccessor } : {}),
      ...(raw === true ? { raw } : {}),
    }
  }

  /** The document, for one caller only; the token is still to be revoked. */
  async take(wrapping: Wrapping): Promise<string | undefined> {
    const content = await this.#cubbyholes.get(`${wrapping.id}/response`, responseSchema)
    if (!content || (await this.#tokens.takeUse(wrapping.id)) === undefined) return undefined
    return content.response
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function text(value: unknown, name: string): string {
  const found = member(value, name)
  if (typeof found !== 'string') throw new Error(`no ${name}`)
  return found
}
