/** sys/config/state and sys/config/reload: the configuration that this process runs with. */
import type { JsonObject } from '../../../../../lib/json/value.ts'
import { operation, Refusal, type Route } from '../../../../contracts/request.ts'

export interface ServerState {
  /** Without anything secret. */
  sanitized(): JsonObject
  /** Reads these parts of the configuration again. What failed is in the error's message; the rest is done. */
  readonly reloads: Readonly<Record<string, () => Promise<void>>>
}

export function serverStateRoutes(state: ServerState): Route[] {
  const sanitized = operation({
    input: {},
    namespaces: 'root',
    handle: async () => ({ kind: 'data', data: state.sanitized() }),
  })
  const reload = operation({
    input: {},
    namespaces: 'root',
    effect: 'outside',
    handle: async (call) => {
      const name = call.params['subsystem'] ?? ''
      const run = Object.hasOwn(state.reloads, name) ? state.reloads[name] : undefined
      if (!run) {
        const accepted = Object.keys(state.reloads).join(', ')
        throw new Refusal(400, `nothing called ${JSON.stringify(name)} can be reloaded; accepted are ${accepted}`)
      }
      try {
        await run()
      } catch (cause) {
        throw new Refusal(500, `${name} was not reloaded; the log says why`, { cause })
      }
      return { kind: 'none' }
    },
  })
  return [
    {
      path: 'config/state/sanitized',
      summary: 'The configuration of this process without secrets.',
      on: { read: sanitized },
    },
    {
      path: 'config/reload/{subsystem}',
      summary: 'Reads a part of the configuration again, as SIGHUP does with all.',
      on: { update: reload },
    },
  ]
}
