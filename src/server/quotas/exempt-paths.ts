/** Whether a path is in a list of paths: exactly, or by an entry that ends in "*"; one that begins with "!" takes away again. The longest counts. */
export function isExempt(list: readonly string[], path: string): boolean {
  let longest = -1
  let exempt = false
  for (const entry of list) {
    const taken = entry.startsWith('!')
    const pattern = (taken ? entry.slice(1) : entry).replace(/^\/?(v1\/)?/, '')
    const glob = pattern.endsWith('*')
    const literal = glob ? pattern.slice(0, -1) : pattern
    if (glob ? !path.startsWith(literal) : path !== literal) continue
    if (pattern.length <= longest) continue
    longest = pattern.length
    exempt = !taken
  }
  return exempt
}
