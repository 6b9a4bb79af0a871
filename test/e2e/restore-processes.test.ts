/** A snapshot that is restored while several processes work on the storage: none goes on with what was before. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './server-process.ts'
import { until, WorkersNode } from './workers-node.ts'

const kv = { type: 'kv', options: { version: '2' } }

async function take(node: WorkersNode): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(`http://127.0.0.1:${node.port}/v1/sys/storage/raft/snapshot`, {
    headers: { 'X-Vault-Token': node.rootToken },
  })
  expect(answer.status).toBe(200)
  return new Uint8Array(await answer.arrayBuffer())
}

const restore = (node: WorkersNode, snapshot: Uint8Array<ArrayBuffer>) =>
  fetch(`http://127.0.0.1:${node.port}/v1/sys/storage/raft/snapshot`, {
    method: 'POST',
    headers: { 'X-Vault-Token': node.rootToken },
    body: snapshot,
  })

// Processes are told apart by /proc.
describe.runIf(process.platform === 'linux')('a restore on a node with two workers', () => {
  let node: WorkersNode
  let backups = ''
  beforeAll(async () => {
    backups = mkdtempSync(join(tmpdir(), 'coffer-backups-'))
    node = await WorkersNode.start(`snapshots {\n  path = "${backups}"\n}`)
    await node.init()
    await node.request('POST', 'sys/mounts/secret', kv)
  })
  afterAll(async () => {
    await node?.close()
    rmSync(backups, { recursive: true, force: true })
  })

  it('has one snapshot soon after its start, though three processes run, and it can be restored', async () => {
    const names = () => readdirSync(backups).filter((name) => name.endsWith('.snap'))
    await until(() => names().length > 0, 'there is a snapshot')
    await until(() => node.output.includes('snapshot taken'), 'it is told')
    expect(names()).toHaveLength(1)
    const verify = ['operator', 'snapshot', 'verify', join(backups, names()[0] ?? '')]
    expect(execFileSync(process.execPath, [join(root, 'bin/coffer'), ...verify], { encoding: 'utf8' })).toContain(
      'Success!',
    )
  })

  it('seals both, and neither knows anything of the time after the snapshot any more', async () => {
    const { a, b } = await node.pair()
    const ask = (line: typeof a, method: string, path: string, body?: unknown, token = node.rootToken) =>
      line.request(method, path, body, token)
    for (let i = 0; i < 40; i += 1) await ask(a, 'POST', `secret/data/s${i}`, { data: { is: 'before' } })
    const made = (await ask(b, 'POST', 'auth/token/create', { policies: ['default'] })).json.auth
    const { client_token: revoked, accessor } = made
    const snapshot = await take(node)

    await ask(a, 'POST', 'auth/token/revoke', { token: revoked })
    const late = (await ask(b, 'POST', 'auth/token/create', { policies: ['root'] })).json.auth.client_token
    await ask(a, 'POST', 'secret/data/late', { data: { is: 'after' } })
    await ask(a, 'POST', 'sys/mounts/later', kv)
    // Both have what they answered in their caches.
    for (const line of [a, b]) {
      expect((await ask(line, 'GET', 'auth/token/lookup-self', undefined, revoked)).status).toBe(403)
      expect((await ask(line, 'GET', 'secret/data/late', undefined, late)).json.data.data).toEqual({ is: 'after' })
    }

    let writing = true
    const writers = [a, b].map(async (line, w) => {
      for (let i = 0; writing; i += 1) {
        const { status } = await ask(line, 'POST', `secret/data/s${i % 40}`, { data: { is: `during ${w} ${i}` } })
        if (status === 503) return
      }
    })
    const answer = await restore(node, snapshot)
    expect(await answer.json()).toMatchObject({
      data: { undone: { tokens: { count: 1, named: [accessor], unnamed: 0 } } },
    })
    await Promise.all(writers)
    writing = false
    await until(async () => {
      for (const line of [a, b]) if (!(await ask(line, 'GET', 'sys/seal-status')).json.sealed) return false
      return true
    }, 'both are sealed')

    expect((await node.unseal()).json.sealed).toBe(false)
    for (const line of [a, b]) {
      expect((await ask(line, 'GET', 'auth/token/lookup-self', undefined, late)).status).toBe(403)
      expect((await ask(line, 'GET', 'auth/token/lookup-self', undefined, revoked)).status).toBe(200)
      expect((await ask(line, 'GET', 'secret/data/late')).status).toBe(404)
      expect((await ask(line, 'GET', 'later/config')).status).toBe(404)
      for (let i = 0; i < 40; i += 1) expect((await ask(line, 'GET', `secret/data/s${i}`)).status).toBe(200)
    }
    expect(node.output.match(/"tokensAlive":1,.*this storage was restored/g)).toHaveLength(1)
    expect(node.output).not.toContain(accessor)
    const check = ['operator', 'storage', 'check', `-config=${node.config}`, '-format=json']
    expect(
      JSON.parse(execFileSync(process.execPath, [join(root, 'bin/coffer'), ...check], { encoding: 'utf8' })),
    ).toMatchObject({
      verdict: 'whole',
    })
  })
})
