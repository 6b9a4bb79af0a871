/** A node of the storage tests in a process of its own: `node-child.ts lead <url>`. It says in lines what happens to it. */
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { open } from './open-storage.ts'

const [role = '', url = ''] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Leads, and commits with its fence until a commit conflicts. */
async function lead() {
  const backend = await open(url)
  await backend.lead(async (fence, signal) => {
    say(`leading ${fence.version}`)
    for (let i = 0; ; i += 1) {
      const put = [{ key: 'led/count', value: Buffer.from(String(i)) }]
      const outcome = await backend.commit({ id: commitId(systemRandom), checks: [fence], put })
      if (outcome === 'conflict') {
        say('fenced off')
        return
      }
      if (i === 10) say('did ten')
      await systemClock.sleep(20, signal).catch(() => say('told that it lost'))
    }
  }, new AbortController().signal)
  await backend.close()
}

if (role === 'lead') await lead()
