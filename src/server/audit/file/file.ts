/** The audit device `file`: appends lines to a file, to standard output, or nowhere. */
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path'
import type { Writable } from 'node:stream'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'

export interface FileAuditOptions {
  /** Files may only lie below these: whoever may call sys/audit must not write anywhere else on this machine. */
  readonly directories: readonly string[]
  /** Files that may be written wherever they lie: the server's configuration names them. */
  readonly files?: readonly string[]
  readonly stdout: Writable
}

/**
 * Options of a device: `file_path` (or `path`; `stdout` and `discard` are special) and `mode` (octal, default 0600; 0000 leaves
 * a file's mode alone).
 */
export function fileAudit(options: FileAuditOptions): AuditDeviceType {
  return {
    type: 'file',
    options: ['file_path', 'path', 'mode'],
    async open(given) {
      const path = given['file_path'] ?? given['path'] ?? ''
      if (path === '') throw new Refusal(400, 'file_path is required')
      if (path === 'discard') return discard
      if (path === 'stdout') return new StreamDevice(options.stdout)
      const mode = readMode(given['mode'])
      const file = await allowedPath(path, options)
      return new FileDevice(file, mode, await openFile(file, mode))
    },
  }
}

const discard: AuditDevice = { type: 'file', takesPieces: true, async write() {}, async close() {} }

class StreamDevice implements AuditDevice {
  readonly type = 'file'
  readonly #stream: Writable

  constructor(stream: Writable) {
    this.#stream = stream
  }

  write(lines: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(Buffer.concat(lines), (error) => (error ? reject(error) : resolve()))
    })
  }

  async close(): Promise<void> {}
}

/**
 * Writes through libuv's pool: nothing slow shares it (heavy cryptography runs in worker threads, LMDB has its own), and a
 * disk that stalls holds up one pool thread, never the event loop. A writer thread was measured and dropped: as fast for
 * groups of one line (27 to 30 µs), 1.6 times slower for groups of 32 (100 to 61 µs), because bytes have to be handed over.
 */
class FileDevice implements AuditDevice {
  readonly type = 'file'
  readonly takesPieces = true
  readonly #path: string
  readonly #mode: number
  #handle: FileHandle
  /** The file ends inside a line: something was cut off, here or in another process. */
  #torn: boolean
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, mode: number, opened: { handle: FileHandle; torn: boolean }) {
    this.#path = path
    this.#mode = mode
    this.#handle = opened.handle
    this.#torn = opened.torn
  }

  write(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    const done = this.#append(lines)
    this.#writing = done.catch(() => {})
    return done
  }

  async #append(lines: readonly Uint8Array[]): Promise<void> {
    let rest = inPieces(this.#torn ? [newline, ...lines] : lines)
    // One that is reopened meanwhile gets no half of a line.
    const handle = this.#handle
    this.#torn = true
    while (rest.length > 0) {
      const { bytesWritten } = await handle.writev(rest)
      if (bytesWritten === 0) throw new Error('the file takes no more bytes')
      rest = unwritten(rest, bytesWritten)
    }
    if (handle === this.#handle) this.#torn = false
  }

  /** After the file was moved away: its last line stays with it, the next goes to a new file. */
  async reopen(): Promise<void> {
    const opened = await openFile(this.#path, this.#mode)
    const [before, writing] = [this.#handle, this.#writing]
    this.#handle = opened.handle
    this.#torn = opened.torn
    await writing
    await before.close()
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#handle.close()
  }
}

const newline = Buffer.from('\n')

/** Lines that lie behind one another in memory are one piece: each piece more costs the event loop about 1 µs. */
function inPieces(lines: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let from = 0, to = 1; from < lines.length; from = to, to += 1) {
    const first = lines[from]
    if (!first) break
    let end = first.byteOffset + first.length
    for (let next = lines[to]; next?.buffer === first.buffer && next.byteOffset === end; next = lines[to]) {
      end += next.length
      to += 1
    }
    pieces.push(to - from === 1 ? first : new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset))
  }
  return pieces
}

function unwritten(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  const rest: Uint8Array[] = []
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length
    else {
      rest.push(skip > 0 ? buffer.subarray(skip) : buffer)
      skip = 0
    }
  }
  return rest
}

function readMode(text: string | undefined): number {
  if (text === undefined || text === '') return 0o600
  if (!/^0?[0-7]{3,4}$/.test(text)) throw new Refusal(400, 'mode must be an octal number such as 0600')
  return Number.parseInt(text, 8)
}

/** The file's real path. Symbolic links above it are followed before the comparison, the file itself may be none. */
async function allowedPath(path: string, { directories, files = [] }: FileAuditOptions): Promise<string> {
  if (!isAbsolute(path) || path.includes('\0')) throw new Refusal(400, 'file_path must be an absolute path')
  const clean = normalize(path)
  const folder = await realpath(dirname(clean)).catch((cause: unknown) => {
    throw new Refusal(400, 'the folder of file_path does not exist or cannot be read', { cause })
  })
  if (files.includes(path)) return join(folder, basename(clean))
  for (const directory of directories) {
    const root = await realpath(directory).catch(() => undefined)
    if (root !== undefined && (folder === root || folder.startsWith(root.endsWith(sep) ? root : root + sep))) {
      return join(folder, basename(clean))
    }
  }
  throw new Refusal(
    400,
    'file_path is not below a directory that the server allows for audit files (audit_file_directories)',
  )
}

async function openFile(path: string, mode: number): Promise<{ handle: FileHandle; torn: boolean }> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  const handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode || 0o600).catch(
    (cause: unknown) => {
      throw new Refusal(400, `the audit file cannot be opened for writing (${errorCode(cause)})`, { cause })
    },
  )
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new Refusal(400, 'file_path is not a regular file')
    if (mode !== 0 && (stat.mode & 0o7777) !== mode) await handle.chmod(mode)
    return { handle, torn: await endsInsideLine(handle, stat.size) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function endsInsideLine(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  return bytesRead === 1 && buffer[0] !== 0x0a
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
}
