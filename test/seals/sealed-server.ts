/** What tests of every seal that unseals by itself do with a server. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TestServer } from '../e2e/server-process.ts'

export const recovery = { recovery_shares: 3, recovery_threshold: 2 }

/** Ends the server and starts it with these seals instead. */
export async function restart(server: TestServer, stanzas?: string): Promise<void> {
  expect(await server.kill('SIGTERM')).toBe(0)
  const file = join(server.dir, 'server.hcl')
  if (stanzas !== undefined) writeFileSync(file, readFileSync(file, 'utf8').replace(/seal "[\s\S]*$/, '') + stanzas)
  await server.start()
}

/** Answers the recovery keys. */
export async function initialise(server: TestServer): Promise<string[]> {
  const { status, json, text } = await server.request('PUT', 'sys/init', recovery, '')
  expect(status, text).toBe(200)
  server.rootToken = json.root_token
  return json.recovery_keys
}

export async function migrate(server: TestServer, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const answer = await server.request('PUT', 'sys/unseal', { key, migrate: true }, '')
    expect(answer.status, answer.text).toBe(200)
  }
}

export const status = async (server: TestServer) => (await server.request('GET', 'sys/seal-status', undefined, '')).json
export const unsealed = async (server: TestServer) => !(await status(server)).sealed

export async function until(server: TestServer, what: string, met: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await met())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}:\n${server.output().slice(-2000)}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}
