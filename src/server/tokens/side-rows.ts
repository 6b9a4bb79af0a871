/** The small rows beside a token's own. */
function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function text(value: unknown, name: string): string {
  const found = member(value, name)
  if (typeof found !== 'string') throw new Error(`no ${name}`)
  return found
}

export const saltSchema = { parse: (value: unknown) => text(value, 'key') }

export const accessorSchema = {
  parse: (value: unknown) => ({ id: text(value, 'id'), accessor: text(value, 'accessor') }),
}

export const usesSchema = {
  parse(value: unknown): number {
    const left = member(value, 'left')
    if (typeof left !== 'number') throw new Error('not a row of uses')
    return left
  },
}

/** For rows of which only the presence says something. */
export const anything = { parse: () => true }
