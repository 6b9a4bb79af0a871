import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { createCa } from '../../lib/x509/certificates.ts'
import { InProcessKube } from './fake-kube.ts'
import { keepRegistered } from './webhook-registration.ts'

const clock = new FakeClock()
const newCa = () =>
  createCa({ commonName: 'ca', random: systemRandom, now: clock.now(), validForMs: 86_400_000 }).certPem.trim()
const bundleOf = (kube: InProcessKube) =>
  Buffer.from(kube.found?.webhooks?.[0]?.clientConfig.caBundle ?? '', 'base64').toString()

const run = async (kube: InProcessKube, caPem: string, url?: string) => {
  const states: boolean[] = []
  await keepRegistered(
    {
      kube: kube.client(),
      name: 'cfg',
      caPem,
      clock,
      log: silentLog,
      onState: (now) => states.push(now),
      ...(url && { url }),
    },
    new AbortController().signal,
  )
  return states
}

describe('the webhook registration', () => {
  it("puts our CA into a chart's configuration, beside what is there, and mends it when it is taken out", async () => {
    const [own, other] = [newCa(), newCa()]
    const kube = new InProcessKube({ caBundle: Buffer.from(other).toString('base64') })
    expect(await run(kube, own)).toEqual([true])
    expect(bundleOf(kube)).toBe(`${other}\n${own}\n`)
    expect(await run(kube, own)).toEqual([true])
    expect(kube.patches).toBe(1)
    kube.setBundle('')
    expect(await run(kube, own)).toEqual([true])
    expect(bundleOf(kube)).toBe(`${own}\n`)
  })

  it('is not ready after a conflict: the newer object comes as the next event', async () => {
    const kube = new InProcessKube({ caBundle: '', conflict: true })
    expect(await run(kube, newCa())).toEqual([false])
  })

  it('tries again when the API server fails, without waiting for another change of the object', async () => {
    const own = newCa()
    const kube = new InProcessKube({ caBundle: '', failures: 2 })
    const done = run(kube, own)
    await clock.advance(60_000)
    expect(await done).toEqual([false, false, true])
    expect(bundleOf(kube)).toBe(`${own}\n`)
  })

  it('creates the configuration where there is no chart', async () => {
    const own = newCa()
    const kube = new InProcessKube()
    expect(await run(kube, own, 'https://127.0.0.1:9443')).toEqual([true])
    expect(kube.found?.webhooks?.[0]).toMatchObject({
      clientConfig: { url: 'https://127.0.0.1:9443/mutate' },
      failurePolicy: 'Fail',
      timeoutSeconds: 5,
      rules: [{ operations: ['CREATE'], resources: ['pods'] }],
    })
    expect(bundleOf(kube)).toContain(own)
  })
})
