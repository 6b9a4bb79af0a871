/** `listener "unix" { … }`: where its socket lies and whose it is. */
import type { members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem } from '../../../lib/hcl/tree.ts'
import type { UnixSocket } from '../../../server/http/unix-socket.ts'
import { textOf } from './settings.ts'

type Settings = ReturnType<typeof members>

/** `user` and `group` as they are written: a number, or a name of this machine. */
export interface UnixListener extends Pick<UnixSocket, 'path' | 'mode'> {
  readonly user?: string
  readonly group?: string
}

/** What the kernel takes, less the byte that ends it. */
const longestPath = 107

export function readUnixListener(settings: Settings, at: { line: number; column: number }): UnixListener {
  const item = settings['address']
  const path = textOf(item)
  if (!item || !path) throw new HclError('listener "unix" needs an address: the path of its socket', at)
  if (!path.startsWith('/') || Buffer.byteLength(path) > longestPath) {
    throw new HclError(`"address" must be an absolute path of at most ${longestPath} bytes`, item)
  }
  const mode = modeOf(settings['socket_mode'])
  const user = ownerOf(settings['socket_user'])
  const group = ownerOf(settings['socket_group'])
  return {
    path,
    ...(mode === undefined ? {} : { mode }),
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
  }
}

/** "660", as chmod takes it; a text, because HCL reads 0660 as the number 432, which has octal digits too. */
function modeOf(item: HclItem | undefined): number | undefined {
  if (!item) return undefined
  const text = textOf(item) ?? ''
  if (!/^0?[0-7]{3}$/.test(text)) throw new HclError('"socket_mode" must be an octal mode such as "660"', item)
  return Number.parseInt(text, 8)
}

function ownerOf(item: HclItem | undefined): string | undefined {
  if (!item) return undefined
  const text = typeof item.value === 'number' ? String(item.value) : item.value
  if (typeof text === 'string' && /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(text)) return text
  throw new HclError(`"${item.key}" must be the name or the number of a ${item.key.slice('socket_'.length)}`, item)
}
