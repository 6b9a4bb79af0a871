/** Scheduled snapshots to S3, with moto in the place of AWS: of a built server, and of the schedule with a clock of its own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { openS3 } from '../../src/programs/server/snapshots/s3/open-s3.ts'
import { ScheduledSnapshots } from '../../src/programs/server/snapshots/scheduled-snapshots.ts'
import { planSnapshots } from '../../src/programs/server/snapshots/snapshot-plan.ts'
import { Barrier } from '../../src/server/barrier/barrier.ts'
import type { SealStatus } from '../../src/server/faces/sys/seal/seal-control.ts'
import { openMemory } from '../../src/server/storage/memory/memory.ts'
import { Telemetry } from '../../src/server/telemetry/telemetry.ts'
import { root, startServer, type TestServer } from '../e2e/server-process.ts'
import { closeWithoutTraces, credentials, type Moto, region, startMoto } from './moto-process.ts'

let moto: Moto
let s3: S3Client
const folder = mkdtempSync(join(tmpdir(), 'coffer-s3-'))
const servers: TestServer[] = []
beforeAll(async () => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
  moto = await startMoto()
  s3 = new S3Client({ endpoint: moto.endpoint, region, credentials, forcePathStyle: true })
})
afterAll(async () => {
  s3?.destroy()
  await moto?.close()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(async () => {
  await moto.back().catch(() => undefined)
  await closeWithoutTraces(servers)
})

let buckets = 0
async function newBucket(): Promise<string> {
  buckets += 1
  const Bucket = `backups-${buckets}`
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: region } }))
  return Bucket
}

const objects = async (Bucket: string) =>
  ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key = '' }) => Key).sort()

const stanza = (bucket: string, more = '') =>
  `snapshots {\n  interval = "1h"\n  aws_s3_bucket = "${bucket}"\n  aws_s3_endpoint = "${moto.endpoint}"\n  aws_s3_disable_tls = true\n  aws_s3_force_path_style = true\n  path_prefix = "coffer"\n  ${more}\n}\n`
const environment = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_REGION: region,
}

async function start(stanzas: string, env: Record<string, string> = environment): Promise<TestServer> {
  const server = await startServer({ stanzas, env })
  servers.push(server)
  return server
}

async function until<T>(what: string, met: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = systemClock.monotonic() + 60_000
  for (;;) {
    const found = await met()
    if (found !== undefined) return found
    if (systemClock.monotonic() > deadline) throw new Error(`waited in vain for ${what}`)
    await systemClock.sleep(50)
  }
}

async function download(Bucket: string, Key: string) {
  const { Body, ServerSideEncryption, SSEKMSKeyId } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  const file = join(folder, Key.replaceAll('/', '-'))
  writeFileSync(file, (await Body?.transformToByteArray()) ?? '')
  return { file, encryption: ServerSideEncryption, kmsKey: SSEKMSKeyId }
}
const verify = (file: string) =>
  execFileSync(process.execPath, [join(root, 'bin/coffer'), 'operator', 'snapshot', 'verify', file], {
    encoding: 'utf8',
  })

describe('a server with snapshots in S3', () => {
  it('puts one there that verifies, encrypted as it is told', async () => {
    const [bucket, { KeyMetadata }] = [await newBucket(), await moto.kms.send(new CreateKeyCommand({}))]
    moto.asked()
    const server = await start(stanza(bucket, `aws_s3_enable_kms = true\n  aws_s3_kms_key = "${KeyMetadata?.KeyId}"`))
    const key = await until('a snapshot', async () => (await objects(bucket))[0])
    expect(key).toMatch(/^coffer\/coffer-[0-9a-f]{12}-\d{8}T\d{6}Z\.snap$/)
    const { file, encryption, kmsKey } = await download(bucket, key)
    expect(encryption).toBe('aws:kms')
    expect(kmsKey).toContain(KeyMetadata?.KeyId)
    expect(verify(file)).toContain('restored and read back')
    await until('the line in the log', () => server.output().includes('snapshot taken') || undefined)
    // What arrives changed would be refused.
    expect(moto.asked()).toMatch(/x-amz-checksum-crc32: /i)
    const shown = await server.request('GET', 'sys/config/state/sanitized')
    expect(shown.json.data.snapshots).toMatchObject({ aws_s3_bucket: bucket, path_prefix: 'coffer/' })
  })

  it('sends a large one in parts, with credentials of its stanza that nobody is shown', async () => {
    const bucket = await newBucket()
    const keys = `aws_access_key_id = "${credentials.accessKeyId}"\n  aws_secret_access_key = "env://S3_SECRET"\n  aws_session_token = "canary-session-token"`
    const away = { S3_SECRET: credentials.secretAccessKey }
    // The first attempt fails, so that there is time to fill the storage.
    await moto.away()
    const server = await start(stanza(bucket, `${keys}\n  aws_s3_region = "${region}"`), away)
    await until('the failure', () => server.output().includes('scheduled snapshot failed') || undefined)
    expect(server.output()).toContain('cannot be reached (ECONNREFUSED)')
    await server.request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '1' } })
    for (let i = 0; i < 24; i += 1) {
      const value = Buffer.from(systemRandom(300_000)).toString('base64')
      expect((await server.request('POST', `kv/${i}`, { value })).status).toBe(204)
    }
    const metrics = await server.request('GET', 'sys/metrics?format=prometheus')
    expect(metrics.text).toMatch(/^vault_autosnapshots_save_errors 1$/m)
    await moto.back()
    moto.asked()
    // Whoever leads next looks at once.
    await server.request('PUT', 'sys/step-down')
    const key = await until('a snapshot', async () => (await objects(bucket))[0])
    const asked = moto.asked()
    expect(asked).toMatch(/partNumber=2/)
    expect(asked).toContain('canary-session-token')
    expect(verify((await download(bucket, key)).file)).toContain('restored and read back')
    const shown = await server.request('GET', 'sys/config/state/sanitized')
    expect([shown.text, metrics.text, server.output()].join()).not.toMatch(/canary/i)
  })

  it('without the bucket says so and serves on', async () => {
    const server = await start(stanza('no-such-bucket'))
    await until('the failure', () => server.output().includes('scheduled snapshot failed') || undefined)
    expect(server.output()).toContain('there is no bucket no-such-bucket: make it')
    expect((await server.request('GET', 'sys/health')).status).toBe(200)
    const status = () => server.request('GET', 'sys/storage/raft/snapshot-auto/status/snapshots')
    const { data } = await until('its status', async () =>
      (await status()).status === 200 ? (await status()).json : undefined,
    )
    expect(data).toMatchObject({ consecutive_errors: 1, last_snapshot_start: '' })
    expect(data.last_snapshot_error).toContain('there is no bucket no-such-bucket: make it')
  })

  it('whose credentials cannot be read does not start', async () => {
    const missing = 'aws_access_key_id = "a"\n  aws_secret_access_key = "file:///no/such/key"'
    await expect(start(stanza('any', missing))).rejects.toThrow('aws_secret_access_key: the file /no/such/key')
  })
})

describe('the schedule', () => {
  const hourMs = 3_600_000

  async function world(bucket: string, keep: number) {
    const clock = new FakeClock(Date.UTC(2026, 0, 1))
    const backend = openMemory({ clock, random: systemRandom })
    const allRows = new Barrier({ backend, clock, random: systemRandom, log: silentLog })
    await allRows.initialise({ rootKey: Buffer.alloc(32, 1), plain: [] })
    await allRows.unseal(Buffer.alloc(32, 1))
    const errors: string[] = []
    const telemetry = new Telemetry({ clock })
    const to = { kind: 's3', bucket, prefix: 'p/', endpoint: moto.endpoint, pathStyle: true } as const
    const keys = { accessKey: 'env://ID', secretKey: 'env://SECRET' }
    const env = { ID: credentials.accessKeyId, SECRET: credentials.secretAccessKey }
    const make = () =>
      new ScheduledSnapshots({
        plan: planSnapshots({ to: { ...to, ...keys, region }, intervalMs: hourMs, keep }, env),
        ...{ allRows, clock, random: systemRandom, telemetry },
        seal: { status: async () => ({ cluster: { id: 'abcdef01-2345-6789-abcd-ef0123456789' } }) as SealStatus },
        ...{ cofferVersion: '0.1.0', storageType: 'inmem', maxValueBytes: backend.limits.valueBytes },
        spoolPlace: { folder, minFreeBytes: 0 },
        log: { ...silentLog, error: (event, fields) => void errors.push(`${event}: ${fields?.['error']}`) },
      })
    const pass = async (one: ScheduledSnapshots, signal = new AbortController().signal) => {
      one.run(signal)
      await one.idle()
    }
    return { clock, make, pass, errors, telemetry }
  }

  it('keeps the newest, whichever node leads, and leaves the names of others alone', async () => {
    const bucket = await newBucket()
    const { clock, make, pass, errors } = await world(bucket, 2)
    for (let i = 0; i < 4; i += 1) {
      // Both look; the one that comes later finds that nothing is due.
      await pass(make())
      await pass(make())
      await clock.advance(hourMs)
    }
    expect(errors).toEqual([])
    expect(await objects(bucket)).toEqual([2, 3].map((hour) => `p/coffer-abcdef012345-20260101T0${hour}0000Z.snap`))
  })

  it('removes parts of its own that a killed server left', async () => {
    const bucket = await newBucket()
    const Key = 'p/coffer-abcdef012345-20250101T000000Z.snap'
    await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }))
    const { make, pass, errors } = await world(bucket, 2)
    await pass(make())
    expect(errors).toEqual([])
    expect((await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).toEqual([])
    expect(await objects(bucket)).toHaveLength(1)
  })

  it('tells what fails in words of its own, counts it, and tries again', async () => {
    const bucket = await newBucket()
    const { clock, make, pass, errors, telemetry } = await world(bucket, 2)
    const one = make()
    await moto.away()
    await pass(one)
    expect(errors).toEqual([expect.stringContaining('cannot be reached (ECONNREFUSED): check endpoint')])
    expect(telemetry.counter('autosnapshots.save.errors').value).toBe(1)
    await moto.back()
    await clock.advance(300_000)
    await pass(one)
    expect(await objects(bucket)).toHaveLength(1)
    expect(errors.join()).not.toMatch(/canary/i)
  })

  it('ends with the lead', async () => {
    const bucket = await newBucket()
    const { make, pass, errors } = await world(bucket, 2)
    await pass(make(), AbortSignal.abort(new Error('sealing')))
    expect([errors, await objects(bucket)]).toEqual([[], []])
  })

  it('ends with the lead also before anything was asked, and leaves no rejection behind, which would end the server', async () => {
    const client = { region, endpoint: moto.endpoint, forcePathStyle: true, credentials: async () => credentials }
    const calls = await openS3({ bucket: await newBucket(), client })
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    try {
      moto.asked()
      await expect(calls.unfinished('p/', AbortSignal.abort(new Error('sealing')))).rejects.toThrow('sealing')
      // By then the other would have come to its end, too.
      expect(await calls.list('p/', new AbortController().signal)).toEqual([])
      expect([moto.asked().match(/^GET /gm)?.length, unhandled]).toEqual([1, []])
    } finally {
      process.off('unhandledRejection', note)
      calls.close()
    }
  })
})
