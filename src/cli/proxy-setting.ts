import { BlockList, isIP } from 'node:net'
import type { Env } from '../lib/setting.ts'

/**
 * The proxy for this address by HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or in small letters), as Go programs read them:
 * never for this machine itself, nor for what NO_PROXY names (a host and what is below it, ".domain", an address, a CIDR
 * block, any of them with ":port"; "*" is everything).
 */
export function environmentProxy(address: string, env: Env): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return undefined
  const value = url.protocol === 'https:' ? either(env, 'HTTPS_PROXY') : either(env, 'HTTP_PROXY')
  if (value === undefined) return undefined
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  if (isThisMachine(host)) return undefined
  const excepted = (either(env, 'NO_PROXY') ?? '').split(',').map((word) => word.trim().toLowerCase())
  if (excepted.some((pattern) => pattern !== '' && covers(pattern, host, port))) return undefined
  return value.includes('://') ? value : `http://${value}`
}

const either = (env: Env, name: string) => env[name] || env[name.toLowerCase()] || undefined

const isThisMachine = (host: string) => host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host)

function covers(pattern: string, host: string, port: string): boolean {
  if (pattern === '*') return true
  const [, name = pattern, itsPort] = /^(.*):(\d+)$/.exec(isIP(pattern) === 6 ? '' : pattern) ?? []
  if (itsPort !== undefined && itsPort !== port) return false
  const bare = name.replace(/^\[(.*)\]$/, '$1')
  if (bare.includes('/')) return inBlock(bare, host)
  if (isIP(bare) !== 0 || isIP(host) !== 0) return bare === host
  const domain = bare.replace(/^\*?\./, '')
  return (host === domain && !bare.startsWith('.') && !bare.startsWith('*')) || host.endsWith(`.${domain}`)
}

function inBlock(block: string, host: string): boolean {
  const [network = '', bits = ''] = block.split('/')
  const family = isIP(network)
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return false
  const list = new BlockList()
  list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
