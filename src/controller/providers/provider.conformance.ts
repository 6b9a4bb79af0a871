import { afterEach, describe, expect, it } from 'vitest'
import type { FakeClock } from '../../lib/fake-clock.ts'
import type { StoreSession } from './provider.ts'

/** A store of the provider's kind, and the session under test. Keys are as a remoteRef has them. */
export interface ProviderUnderTest {
  readonly session: StoreSession
  readonly clock: FakeClock
  /** Puts JSON members under a key. */
  put(key: string, json: string): Promise<void>
  remove(key: string): Promise<void>
  /** Makes the store unreachable, or reachable again. */
  setReachable(reachable: boolean): Promise<void>
  /** Makes every credential that the store gave out invalid. */
  forgetCredentials?(): Promise<void>
  close(): Promise<void>
}

/** What each provider promises beyond its types; one `it` per promise. */
export function describeProvider(name: string, open: () => Promise<ProviderUnderTest>): void {
  describe(`provider ${name}`, () => {
    const opened: ProviderUnderTest[] = []
    const start = async () => {
      const under = await open()
      opened.push(under)
      const { reader } = under.session
      if (!reader) throw new Error('no reader')
      return { ...under, reader, signal: new AbortController().signal }
    }
    const textOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

    afterEach(async () => {
      for (const under of opened.splice(0)) {
        await under.session.close?.()
        await under.close()
      }
    })

    it('gives a value whole as JSON with sorted keys, or one member', async () => {
      const { reader, put, signal } = await start()
      await put('app', '{"b":"x","a":12345678901234567890}')
      expect(textOf(await reader.get({ key: 'app' }, signal))).toBe('{"a":12345678901234567890,"b":"x"}')
      expect(textOf(await reader.get({ key: 'app', property: 'b' }, signal))).toBe('x')
      expect(textOf(await reader.get({ key: 'app', property: 'a' }, signal))).toBe('12345678901234567890')
    })

    it('tells a missing secret from a missing member', async () => {
      const { reader, put, signal } = await start()
      await put('app', '{"a":"x"}')
      expect(await reader.get({ key: 'none' }, signal)).toBeUndefined()
      await expect(reader.get({ key: 'app', property: 'none' }, signal)).rejects.toMatchObject({ code: 'failed' })
    })

    it('gives what was written last', async () => {
      const { reader, put, remove, signal } = await start()
      await put('app', '{"a":"1"}')
      expect(textOf(await reader.get({ key: 'app' }, signal))).toBe('{"a":"1"}')
      await put('app', '{"a":"2"}')
      expect(textOf(await reader.get({ key: 'app' }, signal))).toBe('{"a":"2"}')
      await remove('app')
      expect(await reader.get({ key: 'app' }, signal)).toBeUndefined()
    })

    it('is ready when the store is, and calls no answer an outage, never absence', async () => {
      const { session, reader, put, setReachable, signal } = await start()
      await put('app', '{"a":"1"}')
      expect(await session.check(signal)).toBe('ready')
      await setReachable(false)
      await expect(session.check(signal)).rejects.toMatchObject({ code: 'outage' })
      await expect(reader.get({ key: 'app' }, signal)).rejects.toMatchObject({ code: 'outage' })
      await setReachable(true)
      expect(await session.check(signal)).toBe('ready')
      expect(textOf(await reader.get({ key: 'app' }, signal))).toBe('{"a":"1"}')
    })

    it('gets new credentials when the store no longer knows the old ones', async () => {
      const { reader, put, forgetCredentials, session, signal } = await start()
      if (!forgetCredentials) return
      await put('app', '{"a":"1"}')
      await reader.get({ key: 'app' }, signal)
      await forgetCredentials()
      expect(textOf(await reader.get({ key: 'app' }, signal))).toBe('{"a":"1"}')
      await forgetCredentials()
      expect(await session.check(signal)).toBe('ready')
    })

    it('tells of a change by the location that refs to it have; after a cut it says reset again', async () => {
      const { session, reader, put, remove, setReachable, clock, signal } = await start()
      if (!reader.watch) return
      await session.check(signal)
      const stop = new AbortController()
      const notices = reader.watch(stop.signal)[Symbol.asyncIterator]()
      const next = async () => (await notices.next()).value
      const location = reader.locate({ key: 'app' })
      expect(await next()).toBe('reset')
      await put('app', '{"a":"1"}')
      expect(await next()).toEqual({ location })
      await remove('app')
      expect(await next()).toEqual({ location })
      await setReachable(false)
      expect(await next()).toBe('lost')
      await setReachable(true)
      const again = next()
      await clock.advance(60_000)
      expect(await again).toBe('reset')
      const last = notices.next()
      stop.abort(new Error('enough'))
      await clock.advance(60_000)
      expect((await last).done).toBe(true)
    })
  })
}
