import { connect } from 'node:net'

export interface LocalAddress {
  /** Ours, as the API server and whoever is near it can reach us. */
  readonly ip: string
  readonly loopback: boolean
}

const withinMs = 10_000

/** By a TCP connection to the API server: the kernel chooses the address that leads there. */
export async function localAddressTowards(server: string): Promise<LocalAddress> {
  const url = new URL(server)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || 443)
  const address = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host, port, timeout: withinMs })
    socket.once('connect', () => {
      resolve(socket.localAddress ?? '')
      socket.destroy()
    })
    socket.once('timeout', () => socket.destroy(new Error(`no answer within ${withinMs / 1000} s`)))
    socket.once('error', (error) => reject(new Error(`the API server ${server} is not reached: ${error.message}`)))
  })
  const ip = address.replace(/^::ffff:(?=\d+\.)/, '')
  if (ip === '' || ip.includes('%') || /^fe80:/i.test(ip))
    throw new Error(
      `the API server ${server} is reached from ${ip || 'no address'}, which it can't be told to call back: name it by an address that routers know`,
    )
  return { ip, loopback: ip.startsWith('127.') || ip === '::1' }
}
