import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
interface LockedPackage {
  readonly license?: unknown
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly optional?: boolean
}
const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
  readFileSync(join(root, 'package-lock.json'), 'utf8'),
)

const runtime = /^(MIT|ISC|BSD-2-Clause|BSD-3-Clause|Apache-2\.0|0BSD|BlueOak-1\.0\.0)$/
const development = /^(Zlib|MPL-2\.0|CC0-1\.0|CC-BY-4\.0|Python-2\.0|Unlicense|MIT-0|WTFPL)$/

/** Old packages write a list or an object where npm now asks for an SPDX expression. */
const expression = (licence: unknown): string => {
  if (typeof licence === 'string') return licence
  if (Array.isArray(licence)) return licence.map(expression).join(' OR ')
  if (typeof licence === 'object' && licence !== null && 'type' in licence) return String(licence.type)
  return 'none'
}

/** "(MIT OR Apache-2.0)" needs one allowed member, "MIT AND ISC" all. */
const allowed = (licence: string, dev: boolean): boolean =>
  licence
    .replace(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((one) => runtime.test(one) || (dev && development.test(one))))

describe('licences', () => {
  it('every locked package has one that Coffer may use', () => {
    const wrong = Object.entries(lock.packages)
      .filter(([path]) => path !== '')
      .filter(([, p]) => !allowed(expression(p.license), Boolean(p.dev || p.devOptional)))
      .map(([path, p]) => `${path}: ${expression(p.license)}`)
    expect(wrong).toEqual([])
  })

  it('every direct runtime dependency has its line in docs/dependencies.md', () => {
    const manifest: { dependencies: Record<string, string> } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    )
    const text = readFileSync(join(root, 'docs/dependencies.md'), 'utf8')
    expect(Object.keys(manifest.dependencies).filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})
