const mostNames = 100
const mostCharacters = 100

/** For a warning: names that clients chose, which may be thirty megabytes. */
export function namesText(names: readonly string[]): string {
  const shown = names.slice(0, mostNames).map((name) => (name.length > mostCharacters ? `${cut(name)}…` : name))
  const more = names.length - shown.length
  return `[${shown.join(' ')}${more > 0 ? ` … and ${more} more` : ''}]`
}

/** No surrogate pair is parted. */
const cut = (name: string) => name.slice(0, mostCharacters).replace(/[\ud800-\udbff]$/, '')
