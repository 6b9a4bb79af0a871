/** Go's text/template: a language that knows nothing of secrets or Kubernetes. Callers pass functions and data in. */
import { Budget, type Limits } from './budget.ts'
import { builtins } from './builtins.ts'
import { Evaluator, type MissingKey } from './evaluator.ts'
import { toBytes } from './go-string.ts'
import { parse } from './syntax/parser.ts'
import { TemplateError } from './template-error.ts'
import type { FunctionTable, Value } from './value.ts'

export interface TemplateOptions {
  /** Delimiters; empty or absent: "{{" and "}}". */
  readonly left?: string
  readonly right?: string
  readonly functions?: FunctionTable
  /** What a key that a map lacks does: "default" prints "<no value>", "error" ends the execution. */
  readonly missingKey?: MissingKey
}

export interface Template {
  /** Throws TemplateError, whose text holds no data. */
  execute(data: Value, limits?: Limits): Buffer
}

/** Throws TemplateError for text that is no template or that calls a function nobody passed in. */
export function parseTemplate(name: string, text: string, options: TemplateOptions = {}): Template {
  const functions = new Map([...builtins, ...(options.functions ?? [])])
  const { left, right, missingKey = 'default' } = options
  const bodies = parse({ name, text }, { left, right, hasFunction: (f) => functions.has(f) })
  const program = { bodies, functions, missingKey }
  return {
    execute(data, limits = {}) {
      const body = bodies.get(name)
      if (!body) throw new TemplateError('execute', `template: ${name}: incomplete or empty template`)
      const out: string[] = []
      new Evaluator({ program, budget: new Budget(limits), body, data, out }).run(data)
      return toBytes(out.join(''))
    },
  }
}
