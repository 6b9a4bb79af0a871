import type { Program } from './program.ts'

/** Every role by its subcommand; anything else is a command of the CLI. Loaded only when asked for: a CLI call pays for the CLI. */
export const programs: Readonly<Record<string, () => Promise<Program>>> = {
  cli: async () => (await import('./cli.ts')).program,
  server: async () => (await import('./server.ts')).program,
  controller: async () => (await import('./controller.ts')).program,
  injector: async () => (await import('./injector.ts')).program,
  agent: async () => (await import('./agent.ts')).program,
  devcluster: async () => (await import('./devcluster.ts')).program,
  workloads: async () => (await import('./workloads.ts')).program,
  dev: async () => (await import('./dev.ts')).program,
}
