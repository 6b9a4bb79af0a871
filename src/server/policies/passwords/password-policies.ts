/** The password policies of one namespace: engines ask here for passwords that their operators prescribed. */
import { compareUtf8 } from '../../../lib/json/stringify.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Rows, SecretStorage } from '../../contracts/secret-storage.ts'
import { decodePolicy } from '../policy-store.ts'
import { generatePassword } from './generate-password.ts'
import { parsePasswordPolicy } from './parse-password-policy.ts'

const rowSchema = {
  parse(value: unknown): { readonly format: 1; readonly text: string } {
    const row: { format?: unknown; text?: unknown } = typeof value === 'object' && value !== null ? value : {}
    if (row.format !== 1 || typeof row.text !== 'string') throw new Error('not a password policy row')
    return { ...row, format: 1, text: row.text }
  },
}
const [minLength, maxLength] = [4, 100]
const maxNameBytes = 512
const trials = 10
const pageSize = 1000

export class PasswordPolicies {
  readonly #view: SecretStorage
  readonly #random: RandomBytes

  constructor(options: { rows: Rows; namespace: NamespaceInfo; random: RandomBytes }) {
    this.#view = options.rows.view(`ns/${options.namespace.id}/password-policy/`)
    this.#random = options.random
  }

  /** The text as written; undefined: no such policy. */
  async get(name: string): Promise<string | undefined> {
    return (await this.#view.get(nameOf(name), rowSchema))?.text
  }

  /** HCL, JSON, or base64 of either. Refusal 400 in Vault's words. */
  async put(name: string, given: string): Promise<void> {
    const key = nameOf(name)
    if (given === '') throw new Refusal(400, 'missing policy')
    const text = decodePolicy(given)
    const policy = parsePasswordPolicy(text)
    if (policy.length < minLength || policy.length > maxLength) {
      throw new Refusal(400, `passwords must be between ${minLength} and ${maxLength} characters`)
    }
    for (let trial = 0; trial < trials; trial += 1) {
      if ((await generatePassword(policy, this.#random)) === undefined) {
        throw new Refusal(400, 'unable to generate password from provided policy in 1s: are the rules impossible?')
      }
    }
    await this.#view.transaction(async (tx) => {
      const before = await tx.get(this.#view, key, rowSchema)
      tx.put(this.#view, key, { ...before, format: 1, text })
    })
  }

  /** An absent policy is fine. */
  async delete(name: string): Promise<void> {
    const key = nameOf(name)
    await this.#view.transaction(async (tx) => {
      if ((await tx.get(this.#view, key, rowSchema)) !== undefined) tx.remove(this.#view, key)
    })
  }

  /** Sorted by bytes. */
  async list(): Promise<string[]> {
    const names: string[] = []
    for (let after: string | undefined; ; after = names.at(-1)) {
      const page = await this.#view.list('', { depth: 'all', limit: pageSize, ...(after !== undefined && { after }) })
      names.push(...page)
      if (page.length < pageSize) return names.sort(compareUtf8)
    }
  }

  /** Refusal 404 when there is no such policy. */
  async generate(name: string): Promise<string> {
    const text = await this.get(name)
    if (text === undefined) throw new Refusal(404, 'policy does not exist')
    const password = await generatePassword(parsePasswordPolicy(text), this.#random)
    if (password === undefined) {
      throw new Refusal(500, 'failed to generate password from policy: timed out generating string')
    }
    return password
  }
}

function nameOf(name: string): string {
  if (name === '') throw new Refusal(400, 'missing policy name')
  if (Buffer.byteLength(name) > maxNameBytes) {
    throw new Refusal(400, `a password policy's name has at most ${maxNameBytes} bytes`)
  }
  return name
}
