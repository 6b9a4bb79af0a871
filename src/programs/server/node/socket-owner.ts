import { readFileSync } from 'node:fs'
import type { UnixSocket } from '../../../server/http/unix-socket.ts'
import type { UnixListener } from '../configuration/unix-listener.ts'

/** Names as /etc/passwd and /etc/group have them: Node has no other way to ask. Throws for one that is in neither. */
export function socketOf({ path, mode, user, group }: UnixListener): UnixSocket {
  return {
    path,
    ...(mode === undefined ? {} : { mode }),
    ...(user === undefined ? {} : { uid: idOf(user, 'user', '/etc/passwd') }),
    ...(group === undefined ? {} : { gid: idOf(group, 'group', '/etc/group') }),
  }
}

function idOf(name: string, kind: string, file: string): number {
  if (/^\d{1,10}$/.test(name)) return Number(name)
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`))
  const id = line?.split(':')[2]
  if (id === undefined || !/^\d+$/.test(id)) throw new Error(`there is no ${kind} ${name} in ${file}: give its number`)
  return Number(id)
}
