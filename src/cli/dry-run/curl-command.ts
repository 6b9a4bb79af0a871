import type { ShownRequest } from './captured-request.ts'

/** How curl reaches the server as this command would have. */
export interface CurlOptions {
  readonly address: string
  /** "vault": whose `print token` gives the token, which is not written here. */
  readonly program: string
  readonly skipVerify: boolean
  readonly caCert?: string
  readonly caPath?: string
  readonly clientCert?: string
  readonly clientKey?: string
}

/** One line for a shell that sends the same request. The token is asked for by the line itself. */
export function curlCommand(request: ShownRequest, options: CurlOptions): string {
  const files = [
    ['--cacert', options.caCert],
    ['--capath', options.caPath],
    ['--cert', options.clientCert],
    ['--key', options.clientKey],
  ] as const
  return [
    'curl',
    ...(options.skipVerify ? ['--insecure'] : []),
    ...(request.method === 'GET' ? [] : [`-X ${request.method}`]),
    ...files.flatMap(([flag, file]) => (file === undefined ? [] : [`${flag} ${inSingleQuotes(file)}`])),
    ...Object.entries(request.headers).map(([name, value]) => `-H ${header(name, value, options.program)}`),
    ...(request.body === undefined ? [] : [`-d ${inSingleQuotes(request.body)}`]),
    // Not held in memory, as -d would.
    ...(request.file === undefined ? [] : [`-T ${inSingleQuotes(request.file)}`]),
    ...target(options.address, request.path),
  ].join(' ')
}

function target(address: string, path: string): string[] {
  const socket = /^unix:\/\/(.*)$/.exec(address)?.[1]
  if (socket === undefined) return [inSingleQuotes(`${address}${path}`)]
  return ['--unix-socket', inSingleQuotes(socket), inSingleQuotes(`http://localhost${path}`)]
}

const header = (name: string, value: string, program: string) =>
  name.toLowerCase() === 'x-vault-token' ? `"${name}: $(${program} print token)"` : inDoubleQuotes(`${name}: ${value}`)

const inSingleQuotes = (text: string) => `'${text.replaceAll("'", "'\"'\"'")}'`
const inDoubleQuotes = (text: string) => `"${text.replace(/["\\$`]/g, '\\$&')}"`
