import { FakeClock } from '../../../lib/fake-clock.ts'
import { systemRandom } from '../../../lib/random.ts'
import { describeStorage } from '../storage.conformance.ts'
import { openMemory } from './memory.ts'

describeStorage(
  'memory',
  async () => {
    const clock = new FakeClock()
    const backend = openMemory({ clock, random: systemRandom })
    return { backend, peer: backend, advance: (ms) => clock.advance(ms), close: () => backend.close() }
  },
  { unsupported: [] },
)
