/** Wrapping tokens in the form that X-Vault-Wrap-Format: jwt asks for: signed with ES512 by a key of the cluster. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import type { WrapInfo } from '../contracts/request.ts'
import type { Rows, SecretStorage } from '../contracts/secret-storage.ts'

const keySchema = {
  parse(value: unknown): { pem: string } {
    const pem: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'pem') : undefined
    if (typeof pem !== 'string') throw new Error('not a wrapping key')
    return { pem }
  },
}
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const header = encode({ alg: 'ES512', typ: 'JWT' })

export class WrappingJwt {
  readonly #core: SecretStorage

  constructor(rows: Rows) {
    this.#core = rows.view('core/')
  }

  /** `address`: where the server that can unwrap it is, for the reader's eyes. */
  async of(info: WrapInfo, address: string): Promise<string> {
    const claims = encode({
      ...(info.wrappedAccessor === undefined ? {} : { accessor: info.wrappedAccessor }),
      addr: address,
      exp: Math.floor((info.createdAt + info.ttlMs) / 1000),
      iat: Math.floor(info.createdAt / 1000),
      jti: info.token,
      type: 'wrapping',
    })
    const text = `${header}.${claims}`
    const signature = sign('sha512', Buffer.from(text), { key: await this.#key(), dsaEncoding: 'ieee-p1363' })
    return `${text}.${signature.toString('base64url')}`
  }

  /** The token inside; one that is no JWT is itself. Undefined: a JWT that this cluster did not sign. */
  async tokenIn(text: string): Promise<string | undefined> {
    if (!text.startsWith('eyJ')) return text
    const [head = '', claims = '', signature = '', ...rest] = text.split('.')
    if (rest.length > 0 || head !== header) return undefined
    const key = { key: createPublicKey(await this.#key()), dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha512', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'))) return undefined
    const { jti }: { jti?: unknown } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    return typeof jti === 'string' ? jti : undefined
  }

  /** As sys/wrapping/pubkey shows it: the curve and its point, in decimal. */
  async publicKey(): Promise<{ jwt_curve: string; jwt_x: string; jwt_y: string }> {
    const { x = '', y = '' } = createPublicKey(await this.#key()).export({ format: 'jwk' })
    const decimal = (part: string) => BigInt(`0x${Buffer.from(part, 'base64url').toString('hex')}`).toString()
    return { jwt_curve: 'P-521', jwt_x: decimal(x), jwt_y: decimal(y) }
  }

  /** Made when it is first needed. */
  async #key(): Promise<KeyObject> {
    const { pem } = await this.#core.transaction(async (tx) => {
      const found = await tx.get(this.#core, 'wrapping-key', keySchema)
      if (found) return found
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp521r1' })
      const made = { pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
      tx.create(this.#core, 'wrapping-key', { format: 1, ...made })
      return made
    })
    return createPrivateKey(pem)
  }
}
