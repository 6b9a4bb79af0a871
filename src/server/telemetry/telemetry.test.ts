import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { metricName, metricsJson, prometheusText } from './exposition.ts'
import { measureMethods } from './measured-methods.ts'
import { measureStorage } from './measured-storage.ts'
import { RequestsUnderWay } from './requests-under-way.ts'
import { measureRuntime } from './runtime.ts'
import { ServerMetrics } from './server-metrics.ts'
import { Summary, windowMs } from './summary.ts'
import { Telemetry } from './telemetry.ts'
import { ttlBucket } from './ttl-bucket.ts'

const start = () => {
  const clock = new FakeClock()
  const failures: unknown[] = []
  return { clock, failures, telemetry: new Telemetry({ clock, sourceFailed: (error) => failures.push(error) }) }
}
const text = async (telemetry: Telemetry) => prometheusText(await telemetry.collect(), 'vault')

describe('telemetry', () => {
  it('gives the same handle for the same name and labels, in whatever order', () => {
    const { telemetry } = start()
    expect(telemetry.counter('a', { x: '1', y: '2' })).toBe(telemetry.counter('a', { y: '2', x: '1' }))
    expect(telemetry.counter('a', { x: '1' })).not.toBe(telemetry.counter('a', { x: '2' }))
    expect(() => telemetry.gauge('a', { x: '1' })).toThrow('a is a counter')
  })

  it("is written as Prometheus reads it, under Vault's names", async () => {
    const { telemetry } = start()
    telemetry.counter('quota.rate_limit.violation', { name: 'a"b\\c\n' }).add(3)
    telemetry.gauge('core.unsealed').set(1)
    telemetry.gauge('core.never_set')
    telemetry.gauge('!process_cpu_seconds_total').set(0.5)
    const summary = new ServerMetrics({ telemetry }).route('read', 'secret/')
    for (let i = 1; i <= 100; i += 1) summary.observe(i)
    expect(await text(telemetry)).toBe(
      [
        '# HELP process_cpu_seconds_total process_cpu_seconds_total',
        '# TYPE process_cpu_seconds_total gauge',
        'process_cpu_seconds_total 0.5',
        '# HELP vault_audit_log_request_failure vault_audit_log_request_failure',
        '# TYPE vault_audit_log_request_failure counter',
        'vault_audit_log_request_failure 0',
        '# HELP vault_audit_log_response_failure vault_audit_log_response_failure',
        '# TYPE vault_audit_log_response_failure counter',
        'vault_audit_log_response_failure 0',
        '# HELP vault_core_unsealed vault_core_unsealed',
        '# TYPE vault_core_unsealed gauge',
        'vault_core_unsealed 1',
        '# HELP vault_quota_lease_count_violation vault_quota_lease_count_violation',
        '# TYPE vault_quota_lease_count_violation counter',
        'vault_quota_lease_count_violation 0',
        '# HELP vault_quota_rate_limit_violation vault_quota_rate_limit_violation',
        '# TYPE vault_quota_rate_limit_violation counter',
        'vault_quota_rate_limit_violation{name="a\\"b\\\\c\\n"} 3',
        'vault_quota_rate_limit_violation 0',
        '# HELP vault_route_read_secret_ vault_route_read_secret_',
        '# TYPE vault_route_read_secret_ summary',
        'vault_route_read_secret_{quantile="0.5"} 50',
        'vault_route_read_secret_{quantile="0.9"} 90',
        'vault_route_read_secret_{quantile="0.99"} 99',
        'vault_route_read_secret__sum 5050',
        'vault_route_read_secret__count 100',
        '',
      ].join('\n'),
    )
    expect(metricName('route.read.team/app/9-x', '')).toBe('route_read_team_app_9_x')
  })

  it("is written as Vault's JSON: the last whole interval of ten seconds", async () => {
    const { telemetry, clock } = start()
    const summary = telemetry.summary('core.handle_request', { cluster: 'c' })
    telemetry.gauge('core.active').set(1)
    telemetry.counter('storage.conflicts').add(2)
    for (const value of [1, 2, 3]) summary.observe(value)
    await clock.advance(10_000)
    summary.observe(50)
    const json = metricsJson(await telemetry.collect(), 'vault', Date.UTC(2026, 0, 2, 3, 4, 5))
    expect(json).toEqual({
      Timestamp: '2026-01-02 03:04:05 +0000 UTC',
      Gauges: [{ Name: 'vault.core.active', Value: 1, Labels: {} }],
      Points: [],
      Counters: [{ Name: 'vault.storage.conflicts', Count: 2, Sum: 2, Labels: {} }],
      Samples: [
        {
          Name: 'vault.core.handle_request',
          Count: 3,
          Rate: 0.6,
          Sum: 6,
          Min: 1,
          Max: 3,
          Mean: 2,
          Stddev: 1,
          Labels: { cluster: 'c' },
        },
      ],
    })
    await clock.advance(30_000)
    expect(metricsJson(await telemetry.collect(), 'vault', 0)['Samples']).toEqual([])
  })

  it('asks its sources when it is read, no more often than they say, and survives one that fails', async () => {
    const { telemetry, clock, failures } = start()
    let asked = 0
    telemetry.source(async () => telemetry.gauge('expire.num_leases').set((asked += 1)), 60_000)
    telemetry.source(() => {
      throw new Error('away')
    })
    expect(await text(telemetry)).toContain('vault_expire_num_leases 1\n')
    expect(await text(telemetry)).toContain('vault_expire_num_leases 1\n')
    await clock.advance(60_000)
    expect(await text(telemetry)).toContain('vault_expire_num_leases 2\n')
    expect(failures).toHaveLength(3)
  })

  it('keeps a bounded number of series, whoever chooses labels', async () => {
    const { telemetry } = start()
    for (let i = 0; i < 6000; i += 1) telemetry.counter('route', { mount: `m${i}` }).add()
    const series = await telemetry.collect()
    expect(series).toHaveLength(5001)
    const other = series.find(({ labels }) => labels['other'] === 'true')
    expect(other?.kind === 'counter' && other.counter.value).toBe(1000)
  })
})

describe('a summary', () => {
  it('forgets what is older than its window, but not its totals', async () => {
    const clock = new FakeClock()
    const summary = new Summary({ clock })
    summary.observe(7)
    await clock.advance(windowMs + 1)
    expect(summary.quantiles([0.5])).toEqual([Number.NaN])
    summary.observe(3)
    expect(summary.quantiles([0, 0.5, 1])).toEqual([3, 3, 3])
    expect([summary.count, summary.sum]).toEqual([2, 10])
  })

  it('takes its quantiles from the latest 512 observations', () => {
    const summary = new Summary({ clock: new FakeClock() })
    for (let i = 0; i < 10_000; i += 1) summary.observe(i)
    expect(summary.quantiles([0, 1])).toEqual([9488, 9999])
  })
})

describe('what is measured', () => {
  it("storage: each operation, under the backend's name", async () => {
    const { telemetry, clock } = start()
    const backend = measureStorage(openMemory({ clock, random: systemRandom }), telemetry, clock)
    await backend.read([{ key: 'a' }])
    await backend.list('', { depth: 'all', limit: 1 })
    const put = { id: '1'.repeat(14), checks: [], create: [{ key: 'a', value: new Uint8Array(1) }] }
    expect(await backend.commit(put)).toBe('ok')
    expect(await backend.commit({ ...put, id: `${'1'.repeat(13)}2` })).toBe('conflict')
    const shown = await text(telemetry)
    for (const line of ['_get_count 1', '_list_count 1', '_put_count 2']) {
      expect(shown).toContain(`vault_${backend.type}${line}\n`)
    }
    expect(shown).toContain('vault_storage_conflicts 1\n')
    for (const line of ['_get_count 1', '_list_count 1', '_put_count 2'])
      expect(shown).toContain(`vault_barrier${line}\n`)
    await backend.close()
  })

  it('leadership: how long it was held, when it is lost', async () => {
    const { telemetry, clock } = start()
    const backend = measureStorage(openMemory({ clock, random: systemRandom }), telemetry, clock)
    const until = new AbortController()
    await backend.lead(async () => {
      expect(await text(telemetry)).not.toContain('leadership_lost')
      await clock.advance(7000)
      until.abort()
    }, until.signal)
    expect(await text(telemetry)).toContain('vault_core_leadership_lost_sum 7000\n')
    await backend.close()
  })

  it('methods of an object: well or badly as they end, with what they return', async () => {
    const { telemetry, clock } = start()
    class Noun {
      readonly #name = 'n'
      async say(word: string) {
        await clock.advance(5)
        if (word === 'no') throw new Error('refused')
        return `${this.#name} ${word}`
      }
    }
    const noun = measureMethods(new Noun(), clock, { say: telemetry.summary('noun.say') })
    expect(await noun.say('yes')).toBe('n yes')
    await expect(noun.say('no')).rejects.toThrow('refused')
    const shown = await text(telemetry)
    expect(shown).toContain('vault_noun_say_count 2\n')
    expect(shown).toContain('vault_noun_say_sum 10\n')
  })

  it.each([
    [0, '+Inf'],
    [1, '1m'],
    [60_000, '1m'],
    [60_001, '10m'],
    [86_400_000, '1d'],
    [30 * 86_400_000, '30d'],
    [30 * 86_400_000 + 1, '+Inf'],
  ])('a life of %i ms is in the bucket %s', (ms, bucket) => expect(ttlBucket(ms)).toBe(bucket))

  it('the process: memory, CPU, event loop', async () => {
    const { telemetry } = start()
    const runtime = measureRuntime(telemetry)
    const shown = await text(telemetry)
    runtime.close()
    for (const name of ['vault_runtime_alloc_bytes', 'vault_runtime_sys_bytes', 'process_resident_memory_bytes']) {
      expect(Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(shown)?.[1])).toBeGreaterThan(1e6)
    }
    expect(shown).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m)
  })

  it('requests under way: as Vault shows them, without query and body', () => {
    const requests = new RequestsUnderWay()
    const request = {
      slot: -1,
      id: 'r1',
      now: Date.UTC(2026, 0, 1),
      incoming: { verb: 'update', path: 'secret/data/a', remote: { address: '::1', port: 5 } },
    }
    requests.add(request)
    const root = { ...request, id: 'r2', token: { caller: { entityId: '', policies: ['root'] } } }
    requests.add(root)
    expect(requests.json('root')).toEqual({
      r1: {
        start_time: '2026-01-01T00:00:00.000Z',
        client_remote_address: '[::1]:5',
        request_path: '/v1/secret/data/a',
        request_method: 'PUT',
        client_id: '',
      },
      // What OpenBao 2.0 answered for its root token (test/recorded/wire/01-sys.json).
      r2: expect.objectContaining({ client_id: '0DHqvq2D77kL2/JTPSZkTMJbkFVmUu0TzMi0jiXcFy8=' }),
    })
    requests.remove(request)
    expect(requests.size).toBe(1)
    // A place that was left is taken again, and the other stays where it is.
    requests.add({ ...request, id: 'r3' })
    expect(Object.keys(requests.json('root'))).toEqual(['r3', 'r2'])
    requests.remove(root)
    expect(Object.keys(requests.json('root'))).toEqual(['r3'])
  })
})
