/** Without a private root, a path of the container becomes a path of the host wherever it is written. */
export class PathMap {
  readonly #replacements: readonly { readonly pattern: RegExp; readonly hostPath: string }[]

  /** Absolute container path -> host path. */
  constructor(paths: ReadonlyMap<string, string>) {
    this.#replacements = [...paths]
      // A mount below another one has its own folder.
      .sort(([a], [b]) => b.length - a.length)
      .map(([path, hostPath]) => ({ pattern: boundary(path), hostPath }))
  }

  /** Every place in `text` that is one of the paths, or below one. */
  text(text: string): string {
    const marks: string[] = []
    let result = text
    for (const { pattern, hostPath } of this.#replacements) {
      // A mark that no text holds stands in until the end: what was put in must not be replaced again.
      result = result.replace(pattern, () => `\u0000${marks.push(hostPath) - 1}\u0000`)
    }
    return result.replace(/\u0000(\d+)\u0000/g, (_, index: string) => marks[Number(index)] ?? '')
  }

  /** Base64 of a JSON document, such as VAULT_CONFIG: all its texts. Undefined if it is none. */
  base64Json(base64: string): string | undefined {
    let document: unknown
    try {
      document = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
    } catch {
      return undefined
    }
    if (typeof document !== 'object' || document === null) return undefined
    return Buffer.from(JSON.stringify(this.#deep(document))).toString('base64')
  }

  #deep(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.#deep(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#deep(member)]))
  }
}

/** Begins where no longer path could have begun (or after "://"), ends at a "/" or where no name goes on. */
function boundary(path: string): RegExp {
  const escaped = path.replace(/[\\^$.|?*+()[\]{}/]/g, '\\$&')
  return new RegExp(`(?:(?<![\\w./-])|(?<=:\\/\\/))${escaped}(?![\\w.-])`, 'g')
}
