/** sys/config/ui/headers: what the console's pages are sent with. */
import { operation, Refusal, type Route } from '../../../../contracts/request.ts'
import type { HttpSettings, UiHeaders } from './http-settings.ts'

const root = { access: 'sudo', namespaces: 'root' } as const
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/
const maxValueBytes = 16 * 1024

export interface UiHeaderOptions {
  readonly httpSettings: HttpSettings
  /** Set by a listener's custom_response_headers, which wins. */
  readonly configuredHeader: (name: string) => boolean
}

export function uiHeaderRoutes(options: UiHeaderOptions): Route[] {
  const { httpSettings: settings } = options
  const list = operation({
    ...root,
    input: {},
    handle: async () => ({ kind: 'data', data: { keys: Object.keys(await settings.uiHeaders()).sort() } }),
  })
  const remove = operation({
    ...root,
    input: {},
    handle: async (call) => {
      const name = canonical(call.params['header'] ?? '')
      await settings.changeUiHeaders((headers) => without(headers, name))
      return { kind: 'none' }
    },
  })
  return [
    { path: 'config/ui/headers', summary: "The console's own response headers.", on: { list } },
    {
      path: 'config/ui/headers/{header}',
      summary: "One of the console's response headers.",
      on: { read: readOne(settings), update: writeOne(options), delete: remove },
    },
  ]
}

function readOne(settings: HttpSettings) {
  return operation({
    ...root,
    input: { multivalue: { kind: 'bool', description: 'All values, not only the first', default: false } },
    handle: async (call) => {
      const headers = await settings.uiHeaders()
      const name = canonical(call.params['header'] ?? '')
      const values = Object.hasOwn(headers, name) ? headers[name] : undefined
      const [first] = values ?? []
      if (!values || first === undefined) return { kind: 'none' }
      return { kind: 'data', data: call.input.multivalue ? { values } : { value: first } }
    },
  })
}

function writeOne({ httpSettings, configuredHeader }: UiHeaderOptions) {
  return operation({
    ...root,
    input: { values: { kind: 'commaList', description: 'The values' } },
    handle: async (call) => {
      const given = call.params['header'] ?? ''
      const { values = [] } = call.input
      if (given === '' || values.length === 0) throw new Refusal(400, 'header and values must be specified')
      if (!headerName.test(given)) throw new Refusal(400, `${JSON.stringify(given)} is not the name of a header`)
      const name = canonical(given)
      if (name.startsWith('X-Vault-')) throw new Refusal(400, 'X-Vault headers cannot be set')
      if (configuredHeader(name)) {
        throw new Refusal(400, 'This header already exists in the server configuration and cannot be set in the UI.')
      }
      for (const value of values) {
        if (/[^\t\x20-\x7e]/.test(value) || value.length > maxValueBytes) {
          throw new Refusal(400, `the value of ${name} must be printable ASCII of at most ${maxValueBytes} characters`)
        }
      }
      await httpSettings.changeUiHeaders((headers) => ({ ...headers, [name]: [...values] }))
      if (name === 'Content-Security-Policy') {
        call.warn('overriding default Content-Security-Policy which is secure by default, proceed with caution')
      }
      return { kind: 'none' }
    },
  })
}

const without = (headers: UiHeaders, name: string): UiHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name))

/** "content-security-policy" -> "Content-Security-Policy", as Go's. */
const canonical = (name: string) => name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
