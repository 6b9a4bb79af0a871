import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { emitKeypressEvents } from 'node:readline'
import type { ProgramIo } from '../program.ts'
import { auditLines } from './demo/audit-lines.ts'
import type { DemoContext } from './demo/context.ts'
import { changeAndMeasure, demoPaths, startServer, stopServer } from './demo/steps.ts'
import type { Supervisor } from './supervisor.ts'

interface Options {
  readonly context: DemoContext
  readonly io: ProgramIo
  readonly supervisor: Supervisor
  /** The keys that touch the demo's objects exist only when the demo made them. */
  readonly demo: boolean
}

interface Key {
  readonly key: string
  readonly what: string
  run(): Promise<void> | void
}

/** Stays up until Ctrl-C (or q), answering single keys when standard input is a terminal. */
export async function runKeys(options: Options): Promise<void> {
  const { context, io } = options
  const { terminal } = context
  const ended = new Promise<never>((_, reject) => {
    if (context.stop.aborted) reject(context.stop.reason)
    context.stop.addEventListener('abort', () => reject(context.stop.reason), { once: true })
  })
  const input: ProgramIo['stdin'] & { isTTY?: boolean; setRawMode?(on: boolean): void } = io.stdin
  if (!input.isTTY || !input.setRawMode) return ended
  const keys = keyTable(options)
  terminal.line(`\n   keys: ${keys.map((k) => `[${k.key}] ${k.what}`).join('  ')}  [q] quit`)
  emitKeypressEvents(input)
  input.setRawMode(true)
  let busy: Promise<void> = Promise.resolve()
  const quit = new Promise<void>((resolve) => {
    input.on('keypress', (_text, pressed: { name?: string; ctrl?: boolean }) => {
      if (pressed.name === 'q' || (pressed.ctrl && pressed.name === 'c')) return resolve()
      const key = keys.find((k) => k.key === pressed.name)
      if (!key) return
      // One at a time: a stop and a change at once would each wait for what the other prevents.
      busy = busy
        .then(key.run)
        .catch((error: unknown) => terminal.fail(error instanceof Error ? error.message : String(error)))
    })
  })
  try {
    await Promise.race([quit, ended])
  } finally {
    input.setRawMode(false)
    input.pause()
  }
}

function keyTable({ context, demo }: Options): readonly Key[] {
  const { terminal, environment, server } = context
  const tail = (file: string, count: number) =>
    readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
  const general: readonly Key[] = [
    {
      key: 's',
      what: 'stop or start the server',
      run: async () => {
        if (demo) return server.running ? stopServer(context) : startServer(context)
        await (server.running ? server.stop() : server.start())
        terminal.done(server.running ? 'server started' : 'server stopped')
      },
    },
    {
      key: 'l',
      what: 'logs',
      run: () => {
        for (const name of ['server', 'cluster', 'controller', 'injector', 'workloads']) {
          const file = join(environment.dir, 'logs', `${name}.log`)
          // Somebody else's cluster has its log elsewhere.
          if (!existsSync(file)) continue
          terminal.line(`   ${name}`)
          terminal.detail(tail(file, 3))
        }
      },
    },
    {
      key: 'a',
      what: 'audit',
      run: () =>
        terminal.detail(
          auditLines(readFileSync(environment.server.auditFile, 'utf8'), demoPaths).slice(-10).join('\n') ||
            'nothing read yet',
        ),
    },
  ]
  return demo ? [{ key: 'c', what: 'change the secret', run: () => changeAndMeasure(context) }, ...general] : general
}
