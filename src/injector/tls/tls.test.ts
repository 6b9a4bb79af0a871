import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { createCa } from '../../lib/x509/certificates.ts'
import { bundleWith } from './ca-bundle.ts'
import { ServingCertificate } from './serving-certificate.ts'

const now = Date.UTC(2026, 0, 1)
const day = 86_400_000
const ca = (validForMs = 10 * day) =>
  createCa({ commonName: 'ca', random: systemRandom, now, validForMs }).certPem.trim()
const decode = (bundle: string | undefined) =>
  Buffer.from(bundle ?? '', 'base64')
    .toString()
    .match(/-----BEGIN[\s\S]*?END CERTIFICATE-----/g) ?? []

describe('the CA bundle', () => {
  it('gets our CA once and stays as it is then', () => {
    const own = ca()
    const bundle = bundleWith(undefined, own, now)
    expect(decode(bundle)).toEqual([own])
    expect(bundleWith(bundle, own, now)).toBeUndefined()
  })

  it('keeps the newest others, drops what expired or is no certificate', () => {
    const [own, expired, ...others] = [ca(), ca(day / 2), ca(), ca(), ca(), ca(), ca()]
    const noise = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
    const before = Buffer.from([expired, noise, ...others].join('\n')).toString('base64')
    const bundle = bundleWith(before, own, now + day)
    expect(decode(bundle)).toEqual([...others.slice(-4), own])
    expect(bundleWith(bundle, own, now + day)).toBeUndefined()
  })
})

describe('our own certificate', () => {
  it('names the hosts, is signed by the CA and is made anew before it ends', async () => {
    const clock = new FakeClock(now)
    const own = new ServingCertificate({ hosts: ['svc.ns.svc', '127.0.0.1'], clock, random: systemRandom })
    const first = new X509Certificate(own.current().certPem)
    expect(first.checkHost('svc.ns.svc') && first.checkIP('127.0.0.1')).toBeTruthy()
    expect(first.verify(new X509Certificate(own.caPem()).publicKey)).toBe(true)
    const seen: string[] = []
    const stop = new AbortController()
    const keeping = own.keepFresh((leaf) => seen.push(leaf.certPem), stop.signal)
    await clock.advance(20 * 3_600_000)
    expect(seen).toHaveLength(0)
    await clock.advance(4 * 3_600_000)
    expect(seen).toHaveLength(1)
    expect(new X509Certificate(seen[0] ?? '').verify(new X509Certificate(own.caPem()).publicKey)).toBe(true)
    stop.abort(new Error('stop'))
    await keeping
  })
})
