import { readFileSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import type { JsonObject } from '../../lib/json/value.ts'
import { text } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import {
  type Check,
  type Finding,
  type LocalExpectations,
  type LocalPolicy,
  locally,
  localPolicyOf,
} from './local-policy.ts'

export const policyTest: Command = {
  name: 'policy test',
  summary: 'Run expected allows and denies against policies',
  args: '[options] FILE...',
  about:
    'FILE (HCL) names policy files beside it and what they should allow and deny. Nothing is written and no server is asked, except with -live: then the policies of these names on the server are tested. Exit status: 0 all as expected, 1 not, or wrong use, 2 the server said no.',
  examples: [
    { says: 'Before they are written', run: 'policy test my-app.test.hcl' },
    { says: 'Those on the server', run: 'policy test -live my-app.test.hcl' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    live: { kind: 'bool', about: 'Test the policies on the server.' },
    'entity-id': { kind: 'text', about: 'With -live: fill templates for this entity.' },
    policy: { kind: 'list', about: 'Another policy file; may be repeated.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const local = await localPolicyOf(call.context)
    const results: Result[] = []
    for (const file of call.args) results.push(...(await testFile(call, local, file)))
    const failed = results.filter(({ passed }) => !passed).length
    if (call.session.format() === 'table') {
      line(call, `\n${results.length - failed} passed, ${failed} failed`)
    } else printDocument(call, { passed: results.length - failed, failed, checks: results.map(resultJson) })
    return failed > 0 ? 1 : 0
  },
}

interface Result extends Check, Finding {
  readonly file: string
  readonly passed: boolean
}

async function testFile(call: CommandCall, local: LocalPolicy, file: string): Promise<readonly Result[]> {
  const source = locally('Error reading file', () => readFileSync(file, 'utf8'))
  const expectations = locally(file, () => local.readExpectations(source))
  const files = [
    ...expectations.policies.map((name) => resolve(dirname(file), name)),
    ...call.flags.list('policy').map((name) => resolve(name)),
  ]
  if (files.length === 0)
    throw new Failure(1, `${file}: name the policies, as policies = ["my-app.hcl"] or with -policy`)
  const findings = call.flags.on('live')
    ? await askServer(call, file, files, expectations)
    : judgeFiles(call, local, file, files, source)
  const results = expectations.checks.map((check, i): Result => {
    const finding = findings[i] ?? { allowed: false, reason: 'not judged' }
    return { ...check, ...finding, file, passed: finding.allowed === (check.expected === 'allow') }
  })
  if (call.session.format() === 'table') print(call, file, results)
  return results
}

/** "my-app.hcl" is the policy my-app. */
const policyName = (file: string) => basename(file, extname(file)).toLowerCase()

function judgeFiles(
  call: CommandCall,
  local: LocalPolicy,
  file: string,
  files: readonly string[],
  expectations: string,
): readonly Finding[] {
  const policies = files.map((path) => ({
    name: policyName(path),
    text: locally('Error reading policy file', () => readFileSync(path, 'utf8')),
  }))
  return locally(file, () => local.judge({ policies, expectations, now: call.context.clock.now() }))
}

async function askServer(
  call: CommandCall,
  file: string,
  files: readonly string[],
  { checks, identity }: LocalExpectations,
): Promise<readonly Finding[]> {
  const entity = call.flags.text('entity-id')
  if (identity.size > 0 && entity === undefined) {
    throw new Failure(1, `${file}: identity { … } is for files: with -live, name the entity with -entity-id`)
  }
  const client = call.session.client()
  const findings: Finding[] = []
  for (const check of checks) {
    const question = {
      ...questionOf(check),
      policies: files.map(policyName),
      ...(entity !== undefined && { entity_id: entity }),
    }
    const asked = client.write('sys/coffer/explain', question, call.session.callOptions())
    const data = (await failing(`Error testing ${check.path}`, asked))?.data
    if (!data) throw new Failure(2, `Error testing ${check.path}: the server did not explain`)
    const allowWith = data['allow_with'] === undefined ? {} : { allowWith: text(data['allow_with']) }
    findings.push({ allowed: data['allowed'] === true, reason: text(data['reason']), ...allowWith })
  }
  return findings
}

function questionOf({ operation, path, data, wrapTtlMs }: Check): JsonObject {
  return { operation, path, ...(data && { data }), ...(wrapTtlMs !== undefined && { wrap_ttl: `${wrapTtlMs}ms` }) }
}

function print(call: CommandCall, file: string, results: readonly Result[]): void {
  line(call, file)
  for (const { passed, expected, operation, path, name, reason, allowWith } of results) {
    line(call, `  ${passed ? 'ok  ' : 'FAIL'}  ${expected.padEnd(5)} ${operation} ${path}  (${name})`)
    if (passed) continue
    line(call, `        ${reason}`)
    if (expected === 'allow' && allowWith !== undefined) {
      line(call, `        the smallest rule that would allow it:`)
      for (const part of allowWith.trimEnd().split('\n')) line(call, `          ${part}`)
    }
  }
}

function resultJson({ file, name, expected, operation, path, passed, reason, allowWith }: Result): JsonObject {
  return {
    file,
    name,
    expected,
    operation,
    path,
    passed,
    reason,
    ...(allowWith !== undefined && { allow_with: allowWith }),
  }
}
