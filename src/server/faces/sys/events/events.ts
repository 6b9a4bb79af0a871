/** sys/events/subscribe/<type>: a WebSocket of CloudEvents, as Vault's; only about paths that the token may read. */
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import type { Clock } from '../../../../lib/clock.ts'
import { formatGoTime } from '../../../../lib/go-time.ts'
import { stringifyJson } from '../../../../lib/json/stringify.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { CallerAcl, Presented, PresentedTokens } from '../../../tokens/presented-tokens.ts'
import type { EventHub, PublishedEvent } from './event-hub.ts'

export interface EventRoutesOptions {
  readonly hub: EventHub
  readonly presented: PresentedTokens
  /** What a token that was shown from this address may do now; undefined when it is not alive any more. */
  readonly currentAcl: (token: string, remote: Call['remote']) => Promise<CallerAcl | undefined>
  readonly clock: Clock
  /** Shown as `source`: where the events come from. */
  readonly source: string
}

const recheckMs = 1000
/** A client that reads slower than this many bytes behind is cut off; it re-lists when it is back. */
const maxBufferedBytes = 4 * 1024 * 1024

export function eventRoutes(options: EventRoutesOptions): Route[] {
  return [
    {
      path: 'events/subscribe/{type...}',
      summary: 'Streams notices of changes over a WebSocket; `*` stands for any characters of a type.',
      on: {
        read: operation({
          input: { json: { kind: 'bool', description: 'CloudEvents as JSON', default: false } },
          deadline: 'none',
          handle: (call) => subscribe(options, call),
        }),
      },
    },
  ]
}

async function subscribe(options: EventRoutesOptions, call: Call<{ json: boolean }>): Promise<Reply> {
  const presented = options.presented.get(call)
  if (!presented) throw new Refusal(403, 'permission denied')
  if ((call.headers['upgrade'] ?? '').toLowerCase() !== 'websocket') {
    throw new Refusal(400, 'this path needs a WebSocket: send "Connection: Upgrade" and "Upgrade: websocket"')
  }
  if (!call.input.json) throw new Refusal(400, 'only ?json=true is supported by this server: protobuf is not')
  const matches = typeFilter(call.params['type'] ?? '')
  const namespaceId = call.namespace.id
  const wanted = (event: PublishedEvent) => event.namespace.id === namespaceId && matches(event.type)
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 })
  const { headers } = call
  return {
    kind: 'upgrade',
    accept: (socket, head) => {
      accept(server, headers, socket, head, (client) => stream(options, call, presented, wanted, client))
    },
  }
}

/** ws wants the request, of which it reads only this. */
function accept(
  server: WebSocketServer,
  headers: Call['headers'],
  socket: Duplex,
  head: Uint8Array,
  run: (client: WebSocket) => void,
): void {
  const request = { method: 'GET', headers, url: '/' }
  server.handleUpgrade(request as Parameters<WebSocketServer['handleUpgrade']>[0], socket, Buffer.from(head), run)
}

/** By hand: a regular expression of many `.*` would try every way to share a type out among them. */
function typeFilter(pattern: string): (type: string) => boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  return (type) => {
    if (last === undefined) return type === first
    if (!type.startsWith(first)) return false
    let at = first.length
    for (const part of rest) {
      const found = type.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return type.length - last.length >= at && type.endsWith(last)
  }
}

/** Ends when the token dies: it is looked at again each second. */
function stream(
  options: EventRoutesOptions,
  call: Call<unknown>,
  presented: Presented,
  wanted: (event: PublishedEvent) => boolean,
  client: WebSocket,
): void {
  const { hub, clock, source } = options
  let acl: CallerAcl = presented.acl
  const end = hub.subscribe((event) => {
    if (!wanted(event) || !acl.check({ path: event.dataPath, operation: 'read' }).allowed) return
    if (client.bufferedAmount > maxBufferedBytes) return client.close(1013, 'too slow')
    client.send(cloudEvent(event, source, clock.now()))
  })
  let cancel = () => {}
  let gone = false
  const stop = () => {
    gone = true
    cancel()
    end()
  }
  const recheck = async () => {
    const current = await options.currentAcl(presented.token, call.remote).catch(() => undefined)
    if (gone) return
    if (!current) return client.close(1008, 'the token is not valid any more')
    acl = current
    cancel = clock.after(recheckMs, recheck)
  }
  cancel = clock.after(recheckMs, recheck)
  client.on('close', stop)
  client.on('error', () => client.terminate())
}

function cloudEvent(event: PublishedEvent, source: string, now: number): string {
  const { mount, namespace } = event
  return stringifyJson({
    id: event.id,
    source,
    specversion: '1.0',
    type: '*',
    data: {
      event: { id: event.id, metadata: event.metadata },
      event_type: event.type,
      ...(namespace.path === '' ? {} : { namespace: namespace.path }),
      plugin_info: {
        mount_class: mount.class,
        mount_accessor: mount.accessor,
        mount_path: mount.path,
        plugin: mount.type,
        ...(mount.options?.['version'] === undefined ? {} : { version: mount.options['version'] }),
      },
    },
    datacontentype: 'application/cloudevents',
    time: formatGoTime(now),
  })
}
