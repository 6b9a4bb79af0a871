import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { addedLines, mendDeployment } from './mend.ts'

const seed = readFileSync('examples/seed/deployment.yaml', 'utf8')

it('mending adds four lines and changes none', () => {
  const mended = mendDeployment(seed)
  const added = addedLines(seed, mended)
    .split('\n')
    .filter((line) => line.startsWith('+'))
  expect(added).toHaveLength(4)
  expect(
    mended
      .split('\n')
      .filter((line) => !added.includes(`+ ${line}`))
      .join('\n'),
  ).toBe(seed)
})

it('the mended Deployment has the selector and labels, and all that was published', () => {
  const before = parse(seed)
  const after = parse(mendDeployment(seed))
  expect(after.spec.selector).toEqual({ matchLabels: { app: 'my-app' } })
  expect(after.spec.template.metadata.labels).toEqual({ app: 'my-app' })
  delete after.spec.selector
  delete after.spec.template.metadata.labels
  expect(after).toEqual(before)
})
