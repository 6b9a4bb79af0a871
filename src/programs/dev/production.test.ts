import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { productionIn, serverElsewhere } from './production.ts'

const base = mkdtempSync(join(tmpdir(), 'coffer-production-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

function folder(name: string, files: Record<string, string>): string {
  const dir = join(base, name)
  mkdirSync(dir)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text)
  return dir
}

describe('a folder that a server uses is left alone', () => {
  it.each([
    ['hcl', { 'server.hcl': 'listener "tcp" {\n}\nstorage "lmdb" {\n}\n' }, 'server.hcl'],
    ['json', { 'vault.json': '{"storage":{"lmdb":{}},"listener":{"tcp":{}}}' }, 'vault.json'],
    ['storage', { 'coffer.mdb': '' }, 'coffer.mdb'],
  ])('%s', (name, files, said) => {
    expect(productionIn(folder(name, files))).toContain(said)
  })

  it('and any other may be used, also one that is not there yet', () => {
    expect(productionIn(join(base, 'none'))).toBeUndefined()
    expect(productionIn(folder('empty', {}))).toBeUndefined()
    const others = {
      'package.json': '{"storage":1}',
      'policy.hcl': 'path "storage/*" {}',
      'notes.txt': 'storage listener',
    }
    expect(productionIn(folder('others', others))).toBeUndefined()
  })
})

it('a shell that speaks to a server elsewhere is warned, one on this machine not', () => {
  expect(serverElsewhere({ VAULT_ADDR: 'https://vault.example:8200' })).toContain(
    'VAULT_ADDR=https://vault.example:8200',
  )
  expect(serverElsewhere({ COFFER_ADDR: 'https://10.0.0.1', VAULT_ADDR: 'https://127.0.0.1' })).toContain('COFFER_ADDR')
  for (const VAULT_ADDR of ['https://127.0.0.1:8200', 'http://localhost:8200', 'https://[::1]:1', 'nonsense', ''])
    expect(serverElsewhere({ VAULT_ADDR })).toBeUndefined()
})
