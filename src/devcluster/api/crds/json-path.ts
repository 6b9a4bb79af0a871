/** The JSONPath of printer columns and selectable fields: ".a.b", "['a']", "[0]", "[*]", '[?(@.type=="Ready")]'. */
import { equal, isTree } from '../tree.ts'

type Step = (values: readonly unknown[]) => readonly unknown[]

/** Undefined when it is not of that form. */
export function parseJsonPath(text: string): Step | undefined {
  const steps: Step[] = []
  const token =
    /\.([A-Za-z0-9_-]+|\*)|\['([^']+)'\]|\[(\d+)\]|\[(\*)\]|\[\?\(@\.([A-Za-z0-9_.-]+)\s*==\s*(?:"([^"]*)"|'([^']*)')\)\]/y
  let end = 0
  for (;;) {
    const match = token.exec(text)
    if (!match) break
    end = token.lastIndex
    steps.push(stepOf(match))
  }
  if (end !== text.length || steps.length === 0) return undefined
  return (values) => steps.reduce<readonly unknown[]>((found, step) => step(found), values)
}

function stepOf(match: RegExpExecArray): Step {
  const [, dotted, quoted, index, star, field, double, single] = match
  if (star || dotted === '*') return (values) => values.flatMap(children)
  if (index !== undefined)
    return (values) => values.flatMap((value) => (Array.isArray(value) ? [value[Number(index)]] : []))
  if (field !== undefined) {
    const inner = field.split('.').map(member)
    const wanted = double ?? single
    const fits = (item: unknown) => equal(inner.reduce<readonly unknown[]>((v, step) => step(v), [item])[0], wanted)
    return (values) => values.flatMap((value) => (Array.isArray(value) ? value.filter(fits) : []))
  }
  return member(dotted ?? quoted ?? '')
}

const member =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isTree(value) && Object.hasOwn(value, name) ? [value[name]] : []))

const children = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : isTree(value) ? Object.values(value) : []
