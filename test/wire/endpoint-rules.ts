/**
 * Every operation of every mount under all that clients send by mistake or in malice. Whatever comes is answered by what
 * is wrong, never by a fault of the server; what is refused changed nothing.
 */
import { afterAll, describe, expect, it } from 'vitest'
import type { Operation, Verb } from '../../src/server/contracts/request.ts'
import { below } from '../../src/server/pipeline/route.ts'
import {
  fieldsOf,
  fittingInput,
  hostileFor,
  hostileObjects,
  malformed,
  queryOf,
  unreadableFor,
} from './hostile-values.ts'
import { type Answered, type Endpoint, methods, type Sent, Walk } from './walk.ts'

/** One in so many of the hostile inputs is sent, another each time; 1: all of them. */
const share = Number(process.env['COFFER_WALK_SHARE'] ?? 10)
const seed = Number(process.env['COFFER_SEED'] ?? Date.now() % 1_000_000)

/** Operations of which a rule does not hold, each with its reason. */
const exceptions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'writes without a token': {
    'delete sys/rekey/init':
      'whoever holds unseal keys may begin anew, as in Vault; it takes away what was begun, if anything',
    'delete sys/generate-root/attempt': 'as sys/rekey/init',
    'read sys/wrapping/pubkey': 'the pair of keys is made when it is first asked for',
  },
  'writes although it refuses': {},
  'answers 5xx': {},
  'refuses without errors': {
    'read identity/oidc/provider/{name}/authorize': 'OpenID Connect says how: error and error_description',
    'update identity/oidc/provider/{name}/authorize': 'as its read',
    'update identity/oidc/provider/{name}/token': 'as authorize',
    'read identity/oidc/provider/{name}/userinfo': 'as authorize',
    'update identity/oidc/provider/{name}/userinfo': 'as authorize',
  },
}
const excepted = (rule: string, { name }: Endpoint) => exceptions[rule]?.[name] !== undefined

const hasBody = (verb: Verb) => verb === 'update' || verb === 'patch'
const carrying = ({ verb }: Endpoint, input: Readonly<Record<string, unknown>>): Sent =>
  hasBody(verb) ? { body: JSON.stringify(input) } : { query: queryOf(input) }
const needsRights = ({ operation: { access } }: Endpoint) => access !== 'public' && access !== 'optional'
const onlyInRoot = ({ operation }: Endpoint, namespace: string) => operation.namespaces === 'root' && namespace !== ''
const unavailable = (answer: Answered) => answer.body?.errors?.[0] === 'operation unavailable in namespaces'

/** Collects what is wrong with the answers of one operation, so that a run shows everything. */
class Findings {
  readonly list: string[] = []
  readonly walk: Walk
  readonly #endpoint: Endpoint
  readonly #namespace: string

  constructor(walk: Walk, endpoint: Endpoint, namespace: string) {
    this.walk = walk
    this.#endpoint = endpoint
    this.#namespace = namespace
  }

  async send(sent: Sent, onTop = false): Promise<Answered & { check(what: string, holds: boolean): void }> {
    const full = { namespace: this.#namespace, ...sent }
    const answer = onTop ? await this.walk.sendNext(this.#endpoint, full) : await this.walk.send(this.#endpoint, full)
    const { name } = this.#endpoint
    const check = (what: string, holds: boolean) => {
      if (holds) return
      const { namespace, ...rest } = full
      const shown = typeof rest.body === 'string' ? rest.body : JSON.stringify(rest)
      const input = shown.length > 400 ? `${shown.slice(0, 300)} … ${shown.slice(-100)}` : shown
      this.list.push(
        `${what}: ${name} "${namespace}" ${input} -> ${answer.status} ${answer.text.slice(0, 200)} ${answer.wrote}`,
      )
    }
    const result = { ...answer, check }
    this.#always(result)
    return result
  }

  /** What holds of every answer. */
  #always({ status, text, body, wrote, check }: Answered & { check(what: string, holds: boolean): void }): void {
    if (!excepted('answers 5xx', this.#endpoint)) check('a fault', status < 500)
    if (status < 400) return
    if (!excepted('writes although it refuses', this.#endpoint)) check('an effect', wrote.length === 0)
    const own = excepted('refuses without errors', this.#endpoint) && typeof body?.error_description === 'string'
    check('no errors', text === '' || Array.isArray(body?.errors) || status === 404 || own)
  }
}

/** A file, not JSON: what is wrong with it the operation says. */
const takesBytes = ({ body }: Operation) => body === 'bytes' || body === 'stream'

type Rule = (endpoint: Endpoint, to: Findings, namespace: string) => Promise<void>

const rightless: Rule = async (endpoint, to) => {
  if (!needsRights(endpoint)) return
  for (const token of ['', 'hvs.nonsense', to.walk.tokens.nobody, to.walk.tokens.childNobody]) {
    const answer = await to.send({ ...carrying(endpoint, fittingInput(endpoint.operation)), token })
    answer.check('not 403', answer.status === 403)
    answer.check('an effect', answer.wrote.length === 0)
    if (endpoint.verb === 'head') continue
    const words = /^(1 error occurred:\n\t\* )?permission denied(\n\n)?$/
    answer.check('other words', answer.body?.errors?.length === 1 && words.test(answer.body.errors[0]))
    answer.check('no request id', /^[0-9a-f-]{36}$/.test(answer.body?.request_id))
  }
}

const tokenless: Rule = async (endpoint, to) => {
  if (needsRights(endpoint)) return
  const answer = await to.send({ ...carrying(endpoint, fittingInput(endpoint.operation)), token: '' })
  if (!excepted('writes without a token', endpoint)) answer.check('an effect', answer.wrote.length === 0)
}

const present: Rule = async (endpoint, to, namespace) => {
  const answer = await to.send(carrying(endpoint, fittingInput(endpoint.operation)))
  answer.check('in which namespaces', unavailable(answer) === onlyInRoot(endpoint, namespace))
  answer.check('not there', answer.status !== 405 && !answer.text.includes('unsupported path'))
}

const wrongKind: Rule = async (endpoint, to, namespace) => {
  const { operation, verb, route } = endpoint
  for (const [name, field] of Object.entries(fieldsOf(operation))) {
    if (new RegExp(`\\{${name}[.}]`).test(route.path)) continue
    for (const value of unreadableFor(field, !hasBody(verb))) {
      const answer = await to.send(carrying(endpoint, { ...fittingInput(operation), [name]: value }))
      answer.check(`${name} taken`, answer.status === 400)
      const says = answer.body?.errors?.[0]?.includes(`error converting input for field "${name}"`)
      answer.check(`${name} not named`, onlyInRoot(endpoint, namespace) || says)
    }
  }
}

const unknownAndNull: Rule = async (endpoint, to) => {
  const { operation, verb } = endpoint
  const fitting = fittingInput(operation)
  const answer = await to.send(carrying(endpoint, { ...fitting, zz_unknown: 'x' }))
  if (operation.input !== 'free' && answer.status < 300) {
    const isEnvelope = answer.body?.request_id !== undefined && 'warnings' in answer.body
    answer.check('no room for a warning', answer.status !== 204)
    if (isEnvelope) answer.check('no warning', JSON.stringify(answer.body.warnings).includes('[zz_unknown]'))
  }
  await to.send({})
  if (!hasBody(verb)) return
  const nulls = Object.fromEntries(Object.keys(fitting).map((name) => [name, null]))
  const partial = Object.keys(fitting).map((name) => ({ ...fitting, [name]: undefined }))
  for (const body of [{}, null, nulls, ...partial]) await to.send({ body: JSON.stringify(body) }, true)
}

const noObject: Rule = async ({ verb, operation }, to) => {
  if (!hasBody(verb) || takesBytes(operation)) return
  for (const [what, body] of malformed) {
    const answer = await to.send({ body })
    answer.check(what, answer.status === 400)
    answer.check(what, answer.body?.errors?.[0]?.includes('failed to decode JSON input'))
  }
}

const hostileInput: Rule = async (endpoint, to) => {
  const { operation } = endpoint
  const fitting = fittingInput(operation)
  const inputs =
    operation.input === 'free'
      ? hostileObjects
      : Object.entries(fieldsOf(operation)).flatMap(([name, field]) =>
          hostileFor(field).flatMap((value) => [{ ...fitting, [name]: value }, { [name]: value }]),
        )
  for (const [i, input] of inputs.entries()) {
    if (i % share === seed % share) await to.send(carrying(endpoint, input), true)
  }
}

const pathTricks: Rule = async (endpoint, to) => {
  const { path, verb, operation } = endpoint
  const input = carrying(endpoint, fittingInput(operation))
  const tricks = [
    `${path}/../${path}`,
    `${path}/%2e%2e/x`,
    `${path}/./x`,
    `%2e%2e/${path}`,
    path.replace('/', '//'),
    path.replace('/', '%2F/'),
    ...['%00', '%0a', '%ff', '%c3%28', '%zz', '%'].map((end) => path + end),
  ]
  for (const trick of tricks) {
    const answer = await to.send({ ...input, path: trick })
    answer.check('taken', answer.status === 400)
  }
  const plain = await to.send(input)
  const encoded = await to.send({ ...input, path: path.replaceAll('/', '%2F') })
  encoded.check('an encoded slash is no slash', encoded.status === plain.status)
  if (!hasBody(verb)) return
  const slash = await to.send({ ...input, path: `${path}/` })
  slash.check('taken', slash.status === 400 || slash.status === 404)
}

const otherMethods: Rule = async ({ path, mount }, to) => {
  for (const verb of Object.keys(methods) as Verb[]) {
    const routed = verb === 'list' || verb === 'scan' ? `${path}/` : path
    const match = mount.routes.match(below(routed, mount.info.path), verb)
    if (match?.route.on[verb]) continue
    const answer = await to.send({ verb, ...(hasBody(verb) ? { body: '{}' } : {}) })
    answer.check('taken', answer.status === (match ? 405 : 404))
  }
}

const rules: readonly (readonly [string, Rule])[] = [
  ['does nothing for who has no rights', rightless],
  ['keeps nothing of who has no token', tokenless],
  ['is there where it should be', present],
  ["refuses values that are not of their field's kind", wrongKind],
  ['warns of what it does not know, and lives without any of its fields', unknownAndNull],
  ['refuses a body that is not one JSON object', noObject],
  ['answers whatever its fields hold', hostileInput],
  ['is not reached by tricks of the path', pathTricks],
  ['has no other methods', otherMethods],
]

/** Of one namespace, on a server of its own. */
export async function describeEndpoints(namespace: string): Promise<void> {
  const walk = await Walk.start()
  afterAll(() => walk.close())
  const endpoints = walk.endpoints()
  const mounts = [...new Set(endpoints.map(({ mount }) => mount.info.path))]

  describe(`in the namespace "${namespace}" (COFFER_SEED=${seed})`, () => {
    describe.each(mounts)('every operation of %s', (mount) => {
      it.each(rules)(
        '%s',
        async (_, rule) => {
          const found: string[] = []
          for (const endpoint of endpoints.filter(({ mount: { info } }) => info.path === mount)) {
            const to = new Findings(walk, endpoint, namespace)
            await rule(endpoint, to, namespace)
            found.push(...to.list)
          }
          expect(found).toEqual([])
        },
        120_000,
      )
    })
  })

  it('none of this put a token into a log line', () => {
    const secrets = [...Object.values(walk.tokens), 'hvs.nonsense']
    expect(secrets.filter((secret) => secret.length < 10)).toEqual([])
    expect(walk.lines.length).toBeGreaterThan(0)
    expect(walk.lines.filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([])
  })
}
