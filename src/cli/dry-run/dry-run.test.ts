import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { startServer } from '../../../test/wire/replay.ts'
import { inject } from '../../server/http/handler.ts'
import { runFake } from '../fake-context.ts'
import { needsSudo } from './sudo-paths.ts'

const env = { VAULT_TOKEN: 'canary-token' }
const curl = (...argv: string[]) => runFake([...argv, '-output-curl-string'], { env })
const policy = (...argv: string[]) => runFake([...argv, '-output-policy'], { env })

describe('-output-curl-string', () => {
  it('prints the request instead of sending it, and asks for the token instead of showing it', async () => {
    const { status, out, err, requests } = await curl('write', '-ns=team', 'sys/policies/acl/p', "policy=it's")
    expect([status, err, requests]).toEqual([0, '', []])
    expect(out).toBe(
      `curl -X PUT -H "X-Vault-Request: true" -H "X-Vault-Token: $(vault print token)" -H "X-Vault-Namespace: team" -H "Content-Type: application/json" -d '{"policy":"it'"'"'s"}' 'http://127.0.0.1:8200/v1/sys/policies/acl/p'\n`,
    )
  })

  it('survives a shell, whatever header and body hold', async () => {
    const { out } = await curl('write', '-header=X-Odd=a"$(false)`b\\', 'a/b', 'v=$HOME "x" \'y\'')
    const words = execFileSync('/bin/sh', [
      '-c',
      out.replace(/^curl/, 'printf "%s\\n"').replace(/\$\(vault[^)]*\)/, ''),
    ])
    expect(words.toString()).toContain('X-Odd: a"$(false)`b\\\n')
    expect(words.toString()).toContain(`${JSON.stringify({ v: '$HOME "x" \'y\'' })}\n`)
  })

  it('names the files that curl reads', async () => {
    const { out } = await runFake(['read', '-output-curl-string', 'sys/x'], {
      env: { VAULT_ADDR: 'unix:///run/a.sock', VAULT_SKIP_VERIFY: '1' },
    })
    expect(out).toBe(
      `curl --insecure -H "X-Vault-Request: true" --unix-socket '/run/a.sock' 'http://localhost/v1/sys/x'\n`,
    )
  })

  it('asks only what a mount is, to know the request', async () => {
    const { out, requests } = await runFake(['kv', 'get', '-output-curl-string', 'secret/x'], {
      answer: () => ({ body: JSON.stringify({ data: { path: 'secret/', options: { version: '2' } } }) }),
    })
    expect(requests.map(({ path }) => path)).toEqual(['/v1/sys/internal/ui/mounts/secret/x'])
    expect(out).toContain("'http://127.0.0.1:8200/v1/secret/data/x'")
  })

  it.each([['status'], ['login', '-'], ['monitor'], ['kv', 'put', '-mount=secret', 'x', 'a=b'], ['unwrap', 't']])(
    '%s prints nothing else and sends nothing that changes anything',
    async (...argv) => {
      const run = await runFake([...argv, '-output-curl-string'], { env, stdin: 'hvs.typed' })
      expect([run.status, run.err, run.requests.filter(({ method }) => method !== 'GET')]).toEqual([0, '', []])
      expect(run.out).toMatch(/^curl [^\n]+\n$/)
    },
  )

  it('names the file that would be sent, however large', async () => {
    const { out } = await curl('operator', 'raft', 'snapshot', 'restore', '/dev/null')
    expect(out).toMatch(/^curl -X POST .* -T '\/dev\/null' 'http:\/\/[^']*\/v1\/sys\/storage\/raft\/snapshot'\n$/)
  })

  it('says so when there is no request to show', async () => {
    expect(await curl('print', 'token')).toMatchObject({ status: 1, err: 'Could not generate cURL command\n' })
    expect((await curl('write', 'a')).status).toBe(1)
  })
})

describe('-output-policy', () => {
  it.each([
    [['read', 'secret/data/x'], 'secret/data/x', '"read"'],
    [['list', 'secret/metadata'], 'secret/metadata', '"list"'],
    [['write', 'a/b c', 'x=y'], 'a/b c', '"create", "update"'],
    [['delete', 'a/b'], 'a/b', '"delete"'],
    [['patch', 'a/b', 'x=y'], 'a/b', '"patch"'],
    [['audit', 'list'], 'sys/audit', '"read", "sudo"'],
    [['operator', 'seal'], 'sys/seal', '"create", "update", "sudo"'],
    [['lease', 'lookup', 'id'], 'sys/leases/lookup', '"create", "update"'],
    [['events', 'subscribe', 'kv-v2/*'], 'sys/events/subscribe/kv-v2/*', '"read"'],
  ])('%j', async (argv, path, capabilities) => {
    const { status, out, requests } = await policy(...argv)
    expect([status, requests]).toEqual([0, []])
    expect(out).toBe(`path "${path}" {\n  capabilities = [${capabilities}]\n}\n`)
  })
})

describe('paths that need sudo', () => {
  let end = () => Promise.resolve()
  afterEach(() => end())

  it('are the ones that this server guards', async () => {
    const core = await startServer()
    end = () => core.close(0)
    const headers = { 'X-Vault-Token': 'root' }
    const answer = await inject(core.handler, { method: 'GET', path: '/v1/sys/internal/specs/openapi', headers })
    const paths: Record<string, { readonly 'x-vault-sudo'?: boolean }> = JSON.parse(answer.body).paths
    const of = (sudo: boolean) =>
      Object.keys(paths)
        .filter((path) => /^\/(sys|auth\/token)\//.test(path) && (paths[path]?.['x-vault-sudo'] === true) === sudo)
        .map((path) => path.slice(1).replace(/\{[^}]+\}/g, 'x'))
    expect(of(true).length).toBeGreaterThan(30)
    expect(of(true).filter((path) => !needsSudo(path))).toEqual([])
    expect(of(false).filter(needsSudo)).toEqual([])
  })
})
