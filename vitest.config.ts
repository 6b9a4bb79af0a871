import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// A file belongs to one suite. `unit` opens no sockets and lives beside the source; `wire` replays transcripts on the
// handler; `clients` runs programs of other makers, `seals` what protects root keys elsewhere (test:all); `contract` runs the Kubernetes contract on the development cluster; `e2e` starts the built program; `envtest` runs
// the contract, and what only a real control plane can show, on one (npm run test:all).
const suite = (name: string, include: string[], testTimeout: number, { filesAtOnce, order }: Pace) => ({
  test: {
    name,
    include,
    testTimeout,
    hookTimeout: testTimeout,
    pool: 'forks' as const,
    alias: [{ find: /^fast-check$/, replacement: new URL('./test/seeded-fast-check.ts', import.meta.url).pathname }],
    maxWorkers: filesAtOnce,
    // Suites of one order run together, so they must agree on how many files that is.
    sequence: { groupOrder: order },
    retry: 0,
  },
})

/** How many files of a suite run at the same time, each in a process of its own. */
interface Pace {
  readonly filesAtOnce: number
  readonly order: number
}
// Left alone, vitest keeps one core for itself: of two, half. Suites that compute take all, those that mostly wait one more.
const cores = Math.max(2, availableParallelism())
const computing = { filesAtOnce: cores, order: 0 }
const waiting = { filesAtOnce: cores + 1, order: 1 }
// Each file has processes of its own, on ports and in a folder of its own.
const processes = { filesAtOnce: 2, order: 2 }
const oneByOne = { filesAtOnce: 1, order: 3 }

const onControlPlane = ({ test }: ReturnType<typeof suite>) => ({
  test: { ...test, globalSetup: ['test/envtest/one-for-all.ts'] },
})

export default defineConfig({
  test: {
    projects: [
      suite('unit', ['src/**/*.test.ts', 'test/*.test.ts', 'test/history/**/*.test.ts'], 60_000, computing),
      suite('wire', ['test/wire/**/*.test.ts'], 60_000, computing),
      suite('contract', ['test/kube-contract/**/*.test.ts'], 60_000, waiting),
      suite('clients', ['test/clients/**/*.test.ts'], 120_000, oneByOne),
      suite('seals', ['test/seals/**/*.test.ts'], 120_000, oneByOne),
      suite('postgres', ['test/postgres/**/*.test.ts'], 120_000, processes),
      suite('faults', ['test/faults/**/*.test.ts'], 120_000, oneByOne),
      suite('e2e', ['test/e2e/**/*.test.ts'], 180_000, processes),
      onControlPlane(
        suite('envtest', ['test/kube-contract/**/*.test.ts', 'test/envtest/**/*.test.ts'], 120_000, oneByOne),
      ),
    ],
  },
})
