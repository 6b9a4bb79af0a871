import type { Exchange } from './exchange.ts'

const noHeaders: Readonly<Record<string, string | undefined>> = Object.freeze(Object.create(null))

/** Engines see the headers that their mount was tuned to pass, but never the token. */
export function passedHeaders(x: Exchange): Readonly<Record<string, string | undefined>> {
  const names = x.mount?.info.config.passthroughRequestHeaders ?? []
  if (names.length === 0) return noHeaders
  const passed = names.map((name) => name.toLowerCase()).filter((name) => name !== 'x-vault-token')
  return Object.fromEntries(
    passed
      .map((name) => [name, x.incoming.headers[name]] as const)
      .filter(([, value]) => x.incoming.token === '' || !value?.includes(x.incoming.token)),
  )
}

/** Engines set the headers that their mount was tuned to allow; what the server itself answers with is not the mount's to choose. */
export function allowedHeaders(
  x: Exchange,
  headers: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  if (!headers || !x.mount || x.mount.builtin) return headers
  const allowed = new Set(x.mount.info.config.allowedResponseHeaders.map((name) => name.toLowerCase()))
  const kept = Object.entries(headers).filter(([name]) => allowed.has(name.toLowerCase()))
  return kept.length > 0 ? Object.fromEntries(kept) : undefined
}
