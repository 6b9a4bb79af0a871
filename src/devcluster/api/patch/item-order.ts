/** In which order a strategic merge patch leaves the items of a list. */
import { equal, isTree } from '../tree.ts'

/**
 * Items that the patch names stand in the order it names them, the others in the order they had; where both were there before,
 * their order decides who comes first, else what the patch names.
 */
export function itemsInOrder(
  items: readonly unknown[],
  order: readonly unknown[],
  live: readonly unknown[],
  key: string | undefined,
): unknown[] {
  const nameOf = (item: unknown) => (key === undefined ? item : isTree(item) ? item[key] : undefined)
  const position = (list: readonly unknown[], item: unknown) =>
    list.findIndex((other) => equal(nameOf(other), nameOf(item)))
  const sorted = (list: readonly unknown[], by: readonly unknown[]) =>
    [...list].sort((a, b) => position(by, a) - position(by, b))
  const isNamed = (item: unknown) => position(order, item) >= 0
  const named = sorted(items.filter(isNamed), order)
  const rest = sorted(
    items.filter((item) => !isNamed(item)),
    live,
  )
  const out: unknown[] = []
  while (named.length > 0 && rest.length > 0) {
    const left = position(live, rest[0])
    const right = position(live, named[0])
    out.push(left >= 0 && right >= 0 && left < right ? rest.shift() : named.shift())
  }
  return [...out, ...named, ...rest]
}
