import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { describeProvider } from '../provider.conformance.ts'
import { FakeVault } from './fake-vault.ts'
import { vaultProvider } from './vault-provider.ts'

describeProvider('vault', async () => {
  const vault = new FakeVault()
  const clock = new FakeClock()
  const provider = vaultProvider({ dial: () => vault })
  const session = await provider.open(
    {
      server: 'http://vault',
      path: 'secret',
      auth: { kubernetes: { mountPath: 'kubernetes', role: 'r', serviceAccountRef: { name: 'app' } } },
    },
    {
      namespace: 'ns',
      secretValue: async () => undefined,
      configMapValue: async () => undefined,
      serviceAccountToken: async () => 'jwt',
      ownToken: async () => undefined,
      maxRetries: 0,
      clock,
      random: systemRandom,
      log: silentLog,
    },
  )
  return {
    session,
    clock,
    put: async (key, json) => vault.put(key, json),
    remove: async (key) => vault.remove(key),
    setReachable: async (reachable) => vault.set(reachable ? 'up' : 'down'),
    forgetCredentials: async () => vault.forgetTokens(),
    close: async () => {},
  }
})
