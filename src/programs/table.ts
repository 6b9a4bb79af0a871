import type { Program } from './program.ts'

/** Every role by its subcommand; anything else is a command of the CLI. Loaded only when asked for: a CLI call pays for the CLI. */
const programs: Readonly<Record<string, () => Promise<Program>>> = {
  server: async () => (await import('./server.ts')).program,
  agent: async () => (await import('./agent.ts')).program,
  controller: async () => (await import('./controller.ts')).program,
  injector: async () => (await import('./injector.ts')).program,
  devcluster: async () => (await import('./devcluster.ts')).program,
  workloads: async () => (await import('./workloads.ts')).program,
  dev: async () => (await import('./dev.ts')).program,
  'pkcs11-token': async () => (await import('./server/seal/pkcs11-token.ts')).program,
}
/** Under the name `vault` only what Vault itself has. */
const vaultPrograms = new Set(['server', 'agent'])

export async function pickProgram(
  calledAs: string,
  args: readonly string[],
): Promise<{ program: Program; rest: readonly string[] }> {
  const [name = '', ...rest] = args
  const load =
    Object.hasOwn(programs, name) && (calledAs !== 'vault' || vaultPrograms.has(name)) ? programs[name] : undefined
  if (load) return { program: await load(), rest }
  return { program: (await import('./cli.ts')).program, rest: args }
}
