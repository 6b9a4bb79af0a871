/** Programs written for Vault or OpenBao, each with its own client, run their flows against a built server. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { root } from '../e2e/server-process.ts'
import { hashiVaultJs, hvacPython } from './programs.mjs'

const run = promisify(execFile)
const scratch = mkdtempSync(join(tmpdir(), 'coffer-clients-'))
let server: ChildProcess
let address = ''
let unsealKey = ''

beforeAll(async () => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
  server = spawn(
    process.execPath,
    [
      join(root, 'bin/coffer'),
      'server',
      '-dev',
      '-dev-root-token-id=root',
      '-dev-listen-address=127.0.0.1:0',
      '-dev-no-store-token',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], HOME: scratch } },
  )
  let output = ''
  await new Promise<void>((done, fail) => {
    server.once('exit', (code) => fail(new Error(`the server ended with ${code}:\n${output}`)))
    for (const stream of [server.stdout, server.stderr])
      stream?.on('data', (data) => {
        output += data
        if (output.includes('Root Token:')) done()
      })
  })
  address = /Api Address: (\S+)/.exec(output)?.[1] ?? ''
  unsealKey = /Unseal Key: (\S+)/.exec(output)?.[1] ?? ''
})
afterAll(async () => {
  const gone = new Promise((done) => server.once('exit', done))
  server.kill('SIGTERM')
  await gone
  rmSync(scratch, { recursive: true, force: true })
})

async function flow(command: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  const known = { PATH: process.env['PATH'] ?? '', HOME: scratch, UNSEAL_KEY: unsealKey }
  const { stdout } = await run(command, args, { env: { ...known, ...env }, timeout: 60_000 }).catch((error) => {
    throw new Error(`${error.stdout}\n${String(error.stderr).slice(-2000)}`)
  })
  return stdout
}

it('hashi-vault-js (npm)', async () => {
  const env = { CLIENT: hashiVaultJs, VAULT_ADDR: address, VAULT_TOKEN: 'root' }
  expect(await flow(process.execPath, [join(import.meta.dirname, 'hashi-vault-js.mjs')], env)).toMatch(
    /(^|\n)all steps\n$/,
  )
})

it("OpenBao's Go client", async () => {
  const binary = join(scratch, 'client')
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: join(import.meta.dirname, 'go'), stdio: 'inherit' })
  expect(await flow(binary, [], { BAO_ADDR: address, BAO_TOKEN: 'root' })).toMatch(/^\d+ steps\n$/)
})

// The last one: it seals and unseals the server.
it('hvac (PyPI)', async () => {
  const env = { VAULT_ADDR: address, VAULT_TOKEN: 'root' }
  expect(await flow(hvacPython, ['-W', 'ignore', join(import.meta.dirname, 'hvac_flow.py')], env)).toMatch(
    /^\d+ steps\n$/,
  )
})
