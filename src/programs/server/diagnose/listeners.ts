import { once } from 'node:events'
import { lstatSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import type { Finding } from '../../../cli/operator/server-config/local-server.ts'
import type { UnixListener } from '../configuration/unix-listener.ts'
import type { ListenerConfig } from '../configuration.ts'
import { socketOf } from '../node/socket-owner.ts'
import { check, type Outcome, together } from './findings.ts'
import { checkTls } from './tls.ts'

/** `bind`: whether addresses are tried, which a server that runs has taken. */
export async function checkListeners(
  listeners: readonly ListenerConfig[],
  bind: boolean,
  now: number,
): Promise<Finding> {
  const found: Finding[] = []
  for (const listener of listeners) {
    const { tls, unix } = listener
    const place = unix ? unix.path : `${listener.host}:${listener.port}`
    found.push(
      together(`Check Listener ${place}`, [
        await check('Check TLS', () => (tls ? checkTls(tls, now) : withoutTls(listener))),
        await check(
          'Create Listener',
          () => (unix ? trySocket(unix) : bind ? tryAddress(listener) : { skipped: true }),
          'A server that runs has taken its address: -skip=listener leaves this out.',
        ),
      ]),
    )
  }
  return together('Start Listeners', found)
}

function withoutTls({ unix, host }: ListenerConfig): Outcome {
  if (unix || host === 'localhost' || host === '::1' || host.startsWith('127.')) {
    return { skipped: true, message: 'nothing leaves this machine' }
  }
  return { warnings: ['TLS is disabled: tokens and secrets cross the network as they are'] }
}

async function tryAddress({ host, port }: ListenerConfig): Promise<Outcome> {
  const server = createServer()
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } finally {
    server.close()
  }
  return {}
}

/** Whether it could lie there; nothing is made or connected to. */
function trySocket(unix: UnixListener): Outcome {
  const { path } = socketOf(unix)
  const folder = dirname(path)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`there is no folder ${folder}`)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found && !found.isSocket()) throw new Error(`${path} is no socket: remove it or choose another address`)
  return {}
}
