import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { shellExports } from './shell-file.ts'

it('a file to source sets what it was given, whatever is in it, and runs nothing', () => {
  const values = { A: '/tmp/plain-1.2/x', B: "/home/me/my configs/$(echo ran)'; echo ran #" }
  const out = execFileSync('/bin/sh', ['-c', `${shellExports(values)}printf '%s|%s' "$A" "$B"`], { encoding: 'utf8' })
  expect(out).toBe(`${values.A}|${values.B}`)
  expect(shellExports({ A: values.A })).toBe('export A=/tmp/plain-1.2/x\n')
})
