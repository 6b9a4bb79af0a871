import { readFile } from 'node:fs/promises'
import { parseTemplate, type Template } from '../../gotemplate/template.ts'
import { TemplateError } from '../../gotemplate/template-error.ts'
import type { Clock } from '../../lib/clock.ts'
import type { TemplateConfig } from '../config/agent-config.ts'
import { AgentFailure } from '../failure.ts'
import { agentFunctions, isKnownElsewhere } from '../functions/table.ts'
import type { Dependencies, Uses } from '../secrets/dependencies.ts'

export interface JobOptions {
  readonly config: TemplateConfig
  readonly text: string
  readonly dependencies: Dependencies
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
}

/** What a run of the template came to: bytes, or that secrets are not there yet. */
export type Outcome = { readonly bytes: Buffer } | { readonly missing: ReadonlySet<string> }

/** One template and the file it makes. */
export class TemplateJob {
  readonly config: TemplateConfig
  readonly #o: JobOptions
  readonly #template: Template
  #lookup: ReturnType<Dependencies['lookup']>
  used: ReadonlySet<string> = new Set()
  /** Something that it uses changed. */
  dirty = true
  rendered = false
  /** Wall clock, ms, of the last write. */
  lastChange: number | undefined
  error: string | undefined

  constructor(options: JobOptions) {
    const { config, text, env, clock } = options
    this.config = config
    this.#o = options
    this.#lookup = options.dependencies.lookup()
    const lookup = {
      secret: (path: string, parameters: readonly string[]) => this.#lookup.lookup.secret(path, parameters),
      secrets: (path: string) => this.#lookup.lookup.secrets(path),
    }
    const { left, right } = config
    this.#template = parseTemplate(config.destination, text, {
      functions: agentFunctions({ lookup, env, clock }),
      missingKey: config.errorOnMissingKey ? 'error' : 'zero',
      ...(left ? { left } : {}),
      ...(right ? { right } : {}),
    })
  }

  /** As Vault's log names the template. */
  get name(): string {
    return this.config.source ?? '(dynamic)'
  }

  /** Throws TemplateError once all secrets are there; before that an error only means that they are not. */
  execute(): Outcome {
    this.#lookup = this.#o.dependencies.lookup()
    const { uses } = this.#lookup
    try {
      const bytes = this.#template.execute(undefined, { clock: this.#o.clock })
      this.used = uses.used
      return missingOr(uses, { bytes })
    } catch (error) {
      this.used = uses.used
      if (error instanceof TemplateError) return missingOr(uses, undefined) ?? raise(error)
      throw error
    }
  }
}

function missingOr<T>(uses: Uses, otherwise: T): T | { missing: ReadonlySet<string> } {
  return uses.missing.size > 0 ? { missing: uses.missing } : otherwise
}

function raise(error: unknown): never {
  throw error
}

/** Reads and parses; an AgentFailure names the template and what is wrong with it. */
export async function loadJob(options: Omit<JobOptions, 'text'>): Promise<TemplateJob> {
  const { config } = options
  const text = config.contents ?? (await readSource(config))
  try {
    return new TemplateJob({ ...options, text })
  } catch (error) {
    if (error instanceof TemplateError) throw new AgentFailure(explainParse(error), { cause: error })
    throw error
  }
}

async function readSource(config: TemplateConfig): Promise<string> {
  try {
    return await readFile(config.source ?? '', 'utf8')
  } catch (cause) {
    throw new AgentFailure(`cannot read the template ${config.source} for ${config.destination}`, { cause })
  }
}

function explainParse(error: TemplateError): string {
  const name = /function "([^"]+)" not defined$/.exec(error.message)?.[1]
  if (name === undefined || !isKnownElsewhere(name)) return error.message
  return `${error.message}: consul-template has this function, coffer agent does not implement it`
}
