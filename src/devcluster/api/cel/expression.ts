/**
 * CEL for the rules of custom resources and the conditions of webhooks. The library parses; types, functions and evaluation
 * are here, because it can't replace its own functions (its `matches` backtracks), has no objects with equality, and knows
 * no bound on the work of an expression.
 */
import type { CelType } from './cel-type.ts'
import { type Checked, checkExpression } from './checker.ts'
import { type Budget, Evaluator } from './evaluator.ts'
import { functionLibrary, typeIdentifiers, typeValues } from './functions/library.ts'
import { constantFault, staticIssues } from './static-checks.ts'
import { type Node, parseExpression, printIssues, SyntaxProblem } from './syntax.ts'
import type { Value } from './value.ts'

export interface Expression {
  readonly text: string
  readonly type: CelType
  /** Whether it speaks of a variable. */
  uses(variable: string): boolean
  /** Throws CelError, and BudgetError when `budget` is spent. */
  evaluate(variables: ReadonlyMap<string, Value>, budget: Budget): Value
}

/** An expression that can't be: `message` is what the API server says of it. */
export class CompilationError extends Error {
  override name = 'CompilationError'
}

/** How long an expression may be: far more than the API server evaluates within its limits. */
const maxLength = 64 * 1024

export function compileExpression(text: string, variables: ReadonlyMap<string, CelType>): Expression {
  if (text.length > maxLength)
    throw new CompilationError(`compilation failed: the expression is longer than ${maxLength} characters`)
  const { node, checked } = understood(text, variables)
  const issues = checked.issues.length > 0 ? checked.issues : staticIssues(node, checked)
  if (issues.length > 0) throw new CompilationError(`compilation failed: ${printIssues(text, issues)}`)
  const fault = constantFault(node)
  if (fault) throw new CompilationError(`program instantiation failed: ${fault}`)
  return {
    text,
    type: checked.type,
    uses: (variable) => checked.used.has(variable),
    evaluate: (values, budget) => new Evaluator(checked, budget).run(node, new Map([...typeValues, ...values])),
  }
}

function understood(text: string, variables: ReadonlyMap<string, CelType>): { node: Node; checked: Checked } {
  try {
    const node = parseExpression(text)
    const identifiers = new Map([...typeIdentifiers, ...variables])
    return { node, checked: checkExpression(node, { identifiers, functions: functionLibrary }) }
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    throw new CompilationError(`compilation failed: ${printIssues(text, error.issues)}`)
  }
}
