import { defineConfig } from 'vitest/config'

// A file belongs to one suite. `unit` opens no sockets and lives beside the source; `wire` replays transcripts on the
// handler; `contract` runs the Kubernetes contract on the development cluster; `e2e` starts the built program.
const suite = (name: string, include: string[], exclude: string[], testTimeout: number, fileParallelism = true) => ({
  test: {
    name,
    include,
    exclude,
    testTimeout,
    hookTimeout: testTimeout,
    pool: 'forks' as const,
    fileParallelism,
    retry: 0,
  },
})

export default defineConfig({
  test: {
    projects: [
      suite('unit', ['src/**/*.test.ts', 'test/*.test.ts'], [], 20_000),
      suite('wire', ['test/wire/**/*.test.ts'], [], 30_000),
      suite('contract', ['test/kube-contract/**/*.test.ts'], [], 30_000),
      suite('e2e', ['test/e2e/**/*.test.ts'], [], 120_000, false),
    ],
  },
})
