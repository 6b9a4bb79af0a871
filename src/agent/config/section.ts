import { parseVaultDuration } from '../../lib/duration.ts'
import { parseGoBool } from '../../lib/go-bool.ts'
import { blocks } from '../../lib/hcl/read.ts'
import { type HclItem, type HclObject, type HclValue, isHclList, isHclObject } from '../../lib/hcl/tree.ts'
import { JsonNumber } from '../../lib/json/value.ts'

/** The configuration cannot be used. The text names the key and what is accepted, never a value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * One object of the configuration. It remembers which keys were asked for; `end` refuses all others, so that a typing
 * error or a feature that doesn't exist here never passes silently.
 */
export class Section {
  readonly #where: string
  readonly #object: HclObject
  readonly #asked = new Set<string>()

  constructor(where: string, object: HclObject) {
    this.#where = where
    this.#object = object
  }

  text(key: string): string | undefined {
    const value = this.#value(key)
    if (value === undefined || typeof value === 'string') return value
    if (typeof value === 'number') return String(value)
    if (value instanceof JsonNumber) return value.text
    throw this.problem(key, 'must be a string')
  }

  /** Accepts what Go's strconv.ParseBool does, and real booleans. */
  flag(key: string): boolean | undefined {
    const value = this.#value(key)
    if (value === undefined || typeof value === 'boolean') return value
    const read = typeof value === 'string' ? parseGoBool(value) : undefined
    if (read === undefined) throw this.problem(key, 'must be true or false')
    return read
  }

  number(key: string): number | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    const text = value instanceof JsonNumber ? value.text : value
    const number = typeof text === 'string' && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
    if (typeof number !== 'number') throw this.problem(key, 'must be a number')
    return number
  }

  /** Milliseconds, from "5m", "30" or 30 (seconds). */
  duration(key: string): number | undefined {
    const value = this.#value(key)
    if (value === undefined || value === '') return undefined
    const ms = parseVaultDuration(value instanceof JsonNumber ? value.text : value)
    if (ms === undefined || ms < 0) throw this.problem(key, 'must be a duration such as "30s" or "5m"')
    return ms
  }

  /** A file mode: "0640" is octal; a number is taken as it is, as Vault takes it (HCL's 0640 already is octal). */
  mode(key: string): number | undefined {
    const value = this.#value(key)
    if (value === undefined || value === '') return undefined
    const octal =
      typeof value === 'string' && /^0?o?[0-7]{3,4}$/.test(value) ? Number.parseInt(value.replace('o', ''), 8) : value
    if (typeof octal !== 'number' || !Number.isInteger(octal) || octal < 0 || octal > 0o7777) {
      throw this.problem(key, 'must be an octal file mode such as "0640"')
    }
    return octal
  }

  /** The objects under that key; a label becomes `label`. */
  sections(key: string): { label?: string; section: Section }[] {
    this.#asked.add(key)
    return blocks(this.#object, key, 0).map(({ body }) => {
      const [only, ...others] = body.items
      const labelled = only && others.length === 0 && isHclObject(only.value) && !keysOfObjects.has(only.key)
      const where = `${this.#where}${key}`
      if (!labelled || !only || !isHclObject(only.value)) return { section: new Section(`${where}.`, body) }
      return { label: only.key, section: new Section(`${where} "${only.key}" `, only.value) }
    })
  }

  /** At most one object; of several the last counts, as with repeated files. */
  section(key: string): Section | undefined {
    return this.sections(key).at(-1)?.section
  }

  /** Refuses what nobody asked for; `notHere` are keys that Vault Agent knows. */
  end(notHere: readonly string[] = []) {
    for (const { key } of this.#object.items) {
      if (this.#asked.has(key)) continue
      const accepted = `accepted here: ${[...this.#asked].sort().join(', ')}`
      if (notHere.includes(key)) {
        throw new ConfigError(
          `"${this.#where}${key}" is known to Vault Agent but not implemented by coffer agent; ${accepted}`,
        )
      }
      throw new ConfigError(`unknown key "${this.#where}${key}"; ${accepted}`)
    }
  }

  get isEmpty(): boolean {
    return this.#object.items.length === 0
  }

  problem(key: string, what: string): ConfigError {
    return new ConfigError(`"${this.#where}${key}" ${what}`)
  }

  #value(key: string): Exclude<HclValue, null> | undefined {
    this.#asked.add(key)
    const item: HclItem | undefined = this.#object.items.findLast((i) => i.key === key)
    // HCL wraps what stands in a list of one; Vault reads its element.
    const value = item && isHclList(item.value) && item.value.length === 1 ? item.value[0] : item?.value
    return value ?? undefined
  }
}

/** Keys whose value is an object: they are no labels. */
const keysOfObjects = new Set(['config', 'retry', 'method', 'sink', 'agent_api', 'persist'])
