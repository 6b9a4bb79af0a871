import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type CliRunOptions, runFake } from '../fake-context.ts'
import type { LocalAudit, QueryTerms, VerifyJob, VerifyResult } from './local-audit.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-cli-audit-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const intact: VerifyResult = {
  intact: true,
  lines: 9,
  chains: 2,
  checkpoints: 1,
  problems: [],
  more: 0,
  unprovenTail: 0,
}
const head = { chain: 'c', device: 'file/', node: 'n', opened: 'a', recorded: 'b', seq: 3, mac: 'm', closed: false }
const evidence = { public_key: 'ed25519:own', chain_key: Buffer.from('key').toString('base64'), chains: [head] }

const verify = async (argv: string[], result: VerifyResult | Error = intact, options: CliRunOptions = {}) => {
  const jobs: VerifyJob[] = []
  const local: LocalAudit = {
    verify: async (job) => {
      jobs.push(job)
      job.progress?.(5, 'x')
      if (result instanceof Error) throw result
      return result
    },
    query: () => {
      throw new Error('not asked for')
    },
  }
  const answer = () => ({ status: 200, body: JSON.stringify({ data: evidence }) })
  const run = await runFake(['audit', 'verify', ...argv], { answer, ...options, localAudit: async () => local })
  return { run, job: jobs[0] }
}

describe('audit verify', () => {
  it('asks the server what it knows, and says that the files are intact', async () => {
    const { run, job } = await verify(['a.log', 'b.log', '-device=/file', '-partial'])
    expect(run.requests).toHaveLength(1)
    expect(JSON.stringify(run.requests[0])).toContain('sys/coffer/audit/evidence')
    expect(job).toMatchObject({
      files: ['a.log', 'b.log'],
      publicKey: 'ed25519:own',
      key: Buffer.from('key'),
      heads: [{ chain: 'c', seq: 3, mac: 'm', device: 'file/', time: 'b', closed: false }],
      device: 'file/',
      partial: true,
    })
    expect(run).toMatchObject({ status: 0, err: '', out: '9 lines of 2 chains, 1 signed checkpoints.\nIntact.\n' })
  })

  it('with a public key asks nobody, and says what that leaves open', async () => {
    const { run, job } = await verify(['a.log', '-public-key=ed25519:k'])
    expect(run.requests).toEqual([])
    expect(job).toMatchObject({ publicKey: 'ed25519:k' })
    expect(job?.key).toBeUndefined()
    expect(run.out).toContain('The server was not asked')
  })

  it('a public key alone proves nothing about files without checkpoints', async () => {
    const { run } = await verify(['a.log', '-public-key=ed25519:k'], { ...intact, checkpoints: 0 })
    expect(run.status).toBe(3)
    expect(run.out).toContain('NOTHING PROVEN')
  })

  it('a public key alone proves nothing about files that were emptied', async () => {
    const emptied = { ...intact, lines: 0, chains: 0, checkpoints: 0 }
    const { run } = await verify(['a.log', '-public-key=ed25519:k'], emptied)
    expect(run.status).toBe(3)
    expect(run.out).toContain('NOTHING PROVEN')
    expect((await verify(['a.log'], emptied)).run.status).toBe(0)
  })

  it('takes key and evidence from files', async () => {
    writeFileSync(join(dir, 'key'), 'ed25519:pinned\n')
    writeFileSync(join(dir, 'evidence'), JSON.stringify({ data: evidence }))
    const { job, run } = await verify(['a', `-public-key=${join(dir, 'key')}`, `-evidence=${join(dir, 'evidence')}`])
    expect(run.requests).toEqual([])
    expect(job).toMatchObject({ publicKey: 'ed25519:pinned', key: Buffer.from('key'), heads: [{ chain: 'c' }] })
  })

  it('names file, line, time and chain of each problem, and ends with 3', async () => {
    const problems = [
      { kind: 'altered', chain: 'c', seq: 4, file: 'a.log', line: 4, time: '2026', text: 'wrong bytes' },
    ]
    const { run } = await verify(['a.log'], { ...intact, intact: false, problems, more: 2, unprovenTail: 3 })
    expect(run.status).toBe(3)
    expect(run.out).toMatch(/^a\.log:4 2026 altered: wrong bytes \(chain c, line 4\)\n… and 2 more\n/)
    expect(run.out).toMatch(/last 3 lines[\s\S]*NOT INTACT\.\n$/)
    const json = await verify(['a.log', '-format=json'], { ...intact, intact: false, problems })
    expect(JSON.parse(json.run.out)).toMatchObject({ intact: false, lines: 9, problems })
  })

  it.each([
    [['a', '-evidence=/nowhere'], 1, 'the evidence in /nowhere cannot be read\n'],
    [['a', '-public-key=/nowhere'], 1, /^-public-key is neither a key/],
    [[], 1, /^Not enough arguments/],
  ])('%j ends with %i', async (argv, status, err) => {
    const { run } = await verify(argv)
    expect(run.status).toBe(status)
    if (typeof err === 'string') expect(run.err).toBe(err)
    else expect(run.err).toMatch(err)
  })

  it('an unreadable file is 1, a server that says no is 2', async () => {
    expect((await verify(['a'], new Error('ENOENT'))).run).toMatchObject({
      status: 1,
      err: 'the audit files cannot be read: ENOENT\n',
    })
    const denied = await verify(['a'], intact, {
      answer: () => ({ status: 403, body: '{"errors":["permission denied"]}' }),
    })
    expect(denied.run.status).toBe(2)
    expect(denied.job).toBeUndefined()
  })
})

describe('audit query', () => {
  const match = {
    file: 'a.log',
    line: 2,
    text: '{"time":"t"}',
    time: '2026-01-02T00:00:00.000Z',
    requestId: 'r1',
    operation: 'read',
    path: 'secret/\u001b[31mx',
    displayName: 'app',
    entity: 'e1',
    clientAddress: '10.0.0.1',
    error: '1 error occurred:\n\t* permission denied\n\n',
  }
  const query = async (argv: string[], matches = [match]) => {
    const asked: QueryTerms[] = []
    const local: LocalAudit = {
      verify: () => Promise.reject(new Error('not asked for')),
      async *query(_files, terms) {
        asked.push(terms)
        yield* matches
      },
    }
    const answer = () => ({ status: 200, body: JSON.stringify({ data: { hash: 'hmac-sha256:h' } }) })
    const run = await runFake(['audit', 'query', ...argv], { answer, localAudit: async () => local })
    return { run, terms: asked[0] }
  }

  it('passes on all conditions', async () => {
    const argv = [
      '-entity=e',
      '-display-name=d',
      '-path=p',
      '-operation=read',
      '-since=2026-01-01',
      '-until=0s',
      '-request-id=r',
    ]
    const more = [
      '-client-address=1.2.3.4',
      '-request-namespace=team/',
      '-denied',
      '-revocations',
      '-type=all',
      'a.log',
    ]
    const { terms } = await query([...argv, ...more])
    expect(terms).toEqual({
      entity: 'e',
      displayName: 'd',
      path: 'p',
      operation: 'read',
      since: Date.UTC(2026, 0, 1),
      until: Date.UTC(2026, 0, 2, 3, 4, 5),
      requestId: 'r',
      clientAddress: '1.2.3.4',
      namespace: 'team/',
      denied: true,
      revocations: true,
    })
  })

  it('lets the server hash what is searched for, by the device', async () => {
    const { terms, run } = await query([
      '-hash=secret-value',
      `-hash=hmac-sha256:${'a'.repeat(64)}`,
      '-device=/disk/',
      'a.log',
    ])
    expect(terms?.hashes).toEqual(['hmac-sha256:h', `hmac-sha256:${'a'.repeat(64)}`])
    expect(run.requests).toHaveLength(1)
    expect(JSON.stringify(run.requests[0])).toContain('sys/audit-hash/disk')
  })

  it('shows a row for each line, without control characters; as json the line itself', async () => {
    const { run } = await query(['a.log'])
    expect(run.out).toMatch(
      /^Time +Operation +Who +Client +Path\n2026-01-02T00:00:00\.000Z +read +app e1 +10\.0\.0\.1 +secret\/\?\[31mx +r1 +1 error occurred: \* permission denied\n$/,
    )
    expect((await query(['-format=json', 'a.log'])).run.out).toBe('{"time":"t"}\n')
    expect((await query(['a.log'], [])).run).toMatchObject({ status: 0, out: '', err: 'No line fits.\n' })
  })

  it.each([['-type=x'], ['-since=yesterday'], ['-until=2026-99-99']])('%s is wrong use', async (flag) => {
    expect((await query([flag, 'a.log'])).run.status).toBe(1)
  })
})
