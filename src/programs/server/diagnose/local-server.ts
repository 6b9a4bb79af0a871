/** `coffer operator diagnose` and `validate-config`: a start, tried piece by piece. */
import { hostname } from 'node:os'
import { PassThrough } from 'node:stream'
import type { Finding, LocalServer } from '../../../cli/operator/server-config/local-server.ts'
import { systemClock } from '../../../lib/clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import type { StorageBackend } from '../../../server/contracts/storage.ts'
import { auditDevices } from '../../engines.ts'
import { readConfiguration, type ServerConfig } from '../configuration.ts'
import { openSeals } from '../seal/open-seals.ts'
import { openStorage } from '../storage.ts'
import { check, together } from './findings.ts'
import { checkListeners } from './listeners.ts'
import { checkOpenFiles } from './open-files.ts'
import { checkSeal } from './seal.ts'
import { checkAccess, checkClock, checkSpace } from './storage.ts'

type Env = Readonly<Record<string, string | undefined>>

const patienceMs = 30_000
const syntax = 'Coffer configuration syntax is ok'

export const localServer = (env: Env): LocalServer => ({
  validate: (configs) =>
    check('Validate Config', () => ({ message: syntax, warnings: readConfiguration(configs).warnings })),
  diagnose: (configs, { skip, signal }) => diagnose(configs, new Set(skip), env, signal),
})

async function diagnose(configs: readonly string[], skip: ReadonlySet<string>, env: Env, signal: AbortSignal) {
  let config: ServerConfig | undefined
  const found: Finding[] = [
    await check('Check Open File Limits', checkOpenFiles),
    await check('Parse Configuration', () => {
      config = readConfiguration(configs)
      return { message: syntax, warnings: config.warnings }
    }),
  ]
  if (config) {
    found.push(skip.has('storage') ? skipped('Check Storage') : await checkStorage(config, env))
    found.push(skip.has('autounseal') ? skipped('Check Autounseal') : await checkSeals(config, env, signal))
    found.push(await checkAudit(config))
    found.push(await checkListeners(config.listeners, !skip.has('listener'), systemClock.now()))
  }
  return together('Coffer Diagnose', found)
}

const skipped = (name: string): Finding => ({ name, status: 'skipped' })

async function checkStorage({ storage }: ServerConfig, env: Env): Promise<Finding> {
  let backend: StorageBackend | undefined
  const opened = await check('Create Storage Backend', async () => {
    // One try says what is wrong; a start tries again and again.
    const once = storage.kind === 'postgresql' ? { ...storage, connectRetries: 0 } : storage
    backend = await inTime(openStorage(once, { clock: systemClock, random: systemRandom, log: silentLog, env }))
    return storage.kind === 'inmem' ? { warnings: ['inmem forgets everything when the server ends'] } : {}
  })
  if (!backend) return together('Check Storage', [opened])
  const opening = backend
  try {
    return together('Check Storage', [
      opened,
      await check('Check Storage Access', () => inTime(checkAccess(opening, systemClock, systemRandom))),
      await check('Check Clock', () => inTime(checkClock(opening))),
      ...(storage.kind === 'lmdb' ? [await check('Check Disk Usage', () => checkSpace(storage))] : []),
    ])
  } finally {
    await opening.close()
  }
}

async function checkSeals(config: ServerConfig, env: Env, signal: AbortSignal): Promise<Finding> {
  const stop = new AbortController()
  const parts = { env, clock: systemClock, random: systemRandom, log: silentLog }
  try {
    return await check('Check Autounseal', () => {
      const seals = openSeals(config.seals ?? {}, { ...parts, signal: AbortSignal.any([signal, stop.signal]) })
      return inTime(checkSeal(seals, systemRandom))
    })
  } finally {
    stop.abort(new Error('tried'))
  }
}

/** Opens each device as a start does, and writes nothing. */
async function checkAudit(config: ServerConfig): Promise<Finding> {
  const stanzas = config.audit ?? []
  if (stanzas.length === 0) {
    return { name: 'Check Audit Devices', status: 'skipped', message: 'the configuration declares none' }
  }
  const types = auditDevices({
    directories: config.auditDirectories,
    destinations: config.auditDestinations ?? [],
    declared: () => stanzas,
    stdout: new PassThrough(),
    clock: systemClock,
    hostname: hostname(),
    pid: process.pid,
  })
  const found: Finding[] = []
  for (const { type, path, options } of stanzas) {
    found.push(
      await check(`Check Audit Device ${path}`, async () => {
        const device = await inTime(openDevice(types, type, options))
        await device.close()
        return {}
      }),
    )
  }
  return together('Check Audit Devices', found)
}

function openDevice(types: ReturnType<typeof auditDevices>, type: string, options: Readonly<Record<string, string>>) {
  const found = types[type]
  if (!found) throw new Error(`there are no audit devices of type ${type}`)
  return found.open(options)
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const late = systemClock.sleep(patienceMs, over.signal).then(() => {
    throw new Error(`no answer within ${patienceMs / 1000} s`)
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort(new Error('done'))
  }
}
