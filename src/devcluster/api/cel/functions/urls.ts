/** url() and isURL(), as Go's net/url reads addresses. */
import { contentOf, fn, method, type Overload, textOf } from '../overload.ts'
import { CelError, mapOf, Opaque, textList, type Value } from '../value.ts'

export class Address {
  readonly scheme: string
  readonly host: string
  readonly path: string
  readonly query: string
  constructor(parts: { scheme: string; host: string; path: string; query: string }) {
    this.scheme = parts.scheme
    this.host = parts.host
    this.path = parts.path
    this.query = parts.query
  }
}

/** An address, or Go's words for why it is none. */
export function parseAddress(text: string): Address | string {
  const fault = (why: string) => `parse ${JSON.stringify(text)}: ${why}`
  if (text === '') return fault('empty url')
  if (/[\u0000-\u001f\u007f]/.test(text)) return fault('net/url: invalid control character in URL')
  if (text === '*') return new Address({ scheme: '', host: '', path: '*', query: '' })
  if (text.startsWith(':')) return fault('missing protocol scheme')
  const [, scheme = '', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(text) ?? []
  if (!rest.startsWith('/')) {
    if (scheme === '') {
      if (/^[^/]*:/.test(text)) return fault('first path segment in URL cannot contain colon')
      return fault('invalid URI for request')
    }
    return new Address({ scheme: scheme.toLowerCase(), host: '', path: '', query: '' })
  }
  const [, authority, path = '', query = ''] = /^(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?/s.exec(rest) ?? []
  const host = (authority ?? '').replace(/^.*@/s, '')
  const problem = hostProblem(host) ?? escapeProblem(path)
  if (problem) return fault(problem)
  return new Address({ scheme: scheme.toLowerCase(), host, path, query })
}

function hostProblem(host: string): string | undefined {
  if (host.startsWith('[')) {
    if (!host.includes(']')) return "missing ']' in host"
    return portProblem(host.slice(host.lastIndexOf(']') + 1))
  }
  const wrong = /[ "<>^`{|}\\]/.exec(host)
  if (wrong) return `invalid character ${JSON.stringify(wrong[0])} in host name`
  const colon = host.lastIndexOf(':')
  return colon < 0 ? undefined : portProblem(host.slice(colon))
}

function portProblem(port: string): string | undefined {
  return port === '' || /^:\d*$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`
}

function escapeProblem(path: string): string | undefined {
  const wrong = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(path)
  return wrong ? `invalid URL escape ${JSON.stringify(wrong[0])}` : undefined
}

function hostnameOf(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'))
  return host.replace(/:\d*$/, '')
}

function queryOf(query: string): Value {
  const found = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(query)) found.set(name, [...(found.get(name) ?? []), value])
  return mapOf([...found].map(([name, values]) => [name, textList(values)] as const))
}

const part = (name: string, read: (address: Address) => string) =>
  method(name, 'kubernetes.URL', 'string', ([value]) => read(contentOf(value, Address)))

export const urlFunctions: readonly Overload[] = [
  fn('url', 'string', 'kubernetes.URL', ([value]) => {
    const text = textOf(value)
    const address = parseAddress(text)
    if (typeof address === 'string') throw new CelError(`URL parse error during conversion from string: ${address}`)
    return new Opaque('kubernetes.URL', text, address)
  }),
  fn('isURL', 'string', 'bool', ([value]) => typeof parseAddress(textOf(value)) !== 'string'),
  part('getScheme', ({ scheme }) => scheme),
  part('getHost', ({ host }) => host),
  part('getHostname', ({ host }) => hostnameOf(host)),
  part('getPort', ({ host }) => /:(\d+)$/.exec(host.replace(/^\[.*\]/, ''))?.[1] ?? ''),
  part('getEscapedPath', ({ path }) => path),
  method('getQuery', 'kubernetes.URL', 'map(string, list(string))', ([value]) =>
    queryOf(contentOf(value, Address).query),
  ),
]
