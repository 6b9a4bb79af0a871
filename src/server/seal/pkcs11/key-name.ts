/** Names a key on a token: by label, by id, or by both. */
export interface KeyName {
  readonly label?: string
  /** Hex, lower case. */
  readonly id?: string
}

const scheme = 'pkcs11:'

/** What stands beside the wrapped root key: a PKCS#11 URI (RFC 7512) of the key alone, so that the token may move. */
export function keyUri({ label, id }: KeyName): string {
  const parts = []
  if (label !== undefined) parts.push(`object=${encodeURIComponent(label)}`)
  if (id !== undefined) parts.push(`id=${id.replace(/../g, '%$&')}`)
  return scheme + parts.join(';')
}

/** Undefined: it is the name of no such key. */
export function parseKeyUri(text: string): KeyName | undefined {
  if (!text.startsWith(scheme)) return undefined
  let label: string | undefined
  let id: string | undefined
  for (const part of text.slice(scheme.length).split(';')) {
    const [name, value = ''] = part.split('=')
    if (name === 'object') label = decoded(value)
    if (name === 'id' && /^(%[0-9a-fA-F]{2})+$/.test(value)) id = value.replaceAll('%', '').toLowerCase()
  }
  if (label === undefined && id === undefined) return undefined
  return { ...(label === undefined ? {} : { label }), ...(id === undefined ? {} : { id }) }
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

/** For messages. */
export function describeKey({ label, id }: KeyName): string {
  const parts = []
  if (label !== undefined) parts.push(`labelled "${label}"`)
  if (id !== undefined) parts.push(`with the id 0x${id}`)
  return parts.join(' ')
}
