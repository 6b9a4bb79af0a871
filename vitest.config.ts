import { defineConfig } from 'vitest/config'

// A file belongs to one suite. `unit` opens no sockets and lives beside the source; `wire` replays transcripts on the
// handler; `clients` runs programs of other makers, `seals` what protects root keys elsewhere (test:all); `contract` runs the Kubernetes contract on the development cluster; `e2e` starts the built program; `envtest` runs
// the contract, and what only a real control plane can show, on one (npm run test:all).
const suite = (name: string, include: string[], exclude: string[], testTimeout: number, fileParallelism = true) => ({
  test: {
    name,
    include,
    exclude,
    testTimeout,
    hookTimeout: testTimeout,
    pool: 'forks' as const,
    alias: [{ find: /^fast-check$/, replacement: new URL('./test/seeded-fast-check.ts', import.meta.url).pathname }],
    fileParallelism,
    retry: 0,
  },
})

const onControlPlane = ({ test }: ReturnType<typeof suite>) => ({
  test: { ...test, globalSetup: ['test/envtest/one-for-all.ts'] },
})

export default defineConfig({
  test: {
    projects: [
      suite('unit', ['src/**/*.test.ts', 'test/*.test.ts', 'test/history/**/*.test.ts'], [], 20_000),
      suite('wire', ['test/wire/**/*.test.ts'], [], 30_000),
      suite('contract', ['test/kube-contract/**/*.test.ts'], [], 30_000),
      suite('clients', ['test/clients/**/*.test.ts'], [], 120_000, false),
      suite('seals', ['test/seals/**/*.test.ts'], [], 120_000, false),
      suite('postgres', ['test/postgres/**/*.test.ts'], [], 120_000, false),
      suite('e2e', ['test/e2e/**/*.test.ts'], [], 120_000, false),
      onControlPlane(
        suite('envtest', ['test/kube-contract/**/*.test.ts', 'test/envtest/**/*.test.ts'], [], 120_000, false),
      ),
    ],
  },
})
