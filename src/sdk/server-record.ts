/** The part of node:dns/promises that a transport may use to find a server by its SRV record. */
export type ResolveSrv = (name: string) => Promise<readonly ServerRecord[]>

export interface ServerRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

/** The best record of _http._tcp.<host>, as Vault's client asks; undefined when there is none or it cannot be asked. */
export async function findServer(host: string, resolve: ResolveSrv): Promise<ServerRecord | undefined> {
  const records = await resolve(`_http._tcp.${host}`).catch(() => [])
  return [...records].sort((a, b) => a.priority - b.priority || b.weight - a.weight)[0]
}
