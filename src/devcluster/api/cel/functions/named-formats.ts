/** `format.dns1123Label().validate(x)`: Kubernetes' rules for names, by name. */
import {
  dns1035Problem,
  dnsLabelProblem,
  dnsSubdomainProblem,
  labelValueProblem,
  qualifiedNameProblem,
} from '../../kinds/names.ts'
import { isBase64 } from '../../shapes/check-shape.ts'
import { contentOf, fn, method, type Overload, textOf } from '../overload.ts'
import { none, Opaque, Optional, textList } from '../value.ts'
import { parseTimestampNanos } from './times.ts'
import { parseAddress } from './urls.ts'

class NamedFormat {
  readonly problem: (text: string) => string | undefined
  constructor(problem: (text: string) => string | undefined) {
    this.problem = problem
  }
}

/** What a generated name begins with: it may end in a dash. */
const prefix = (rule: (text: string) => string | undefined) => (text: string) => rule(text.replace(/-$/, 'a'))
const unless = (fits: (text: string) => boolean, words: string) => (text: string) => (fits(text) ? undefined : words)
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const isDate = (text: string) =>
  /^\d{4}-\d\d-\d\d$/.test(text) && parseTimestampNanos(`${text}T00:00:00Z`) !== undefined

const formats: Readonly<Record<string, (text: string) => string | undefined>> = {
  dns1123Label: dnsLabelProblem,
  dns1123Subdomain: dnsSubdomainProblem,
  dns1035Label: dns1035Problem,
  qualifiedName: qualifiedNameProblem,
  dns1123LabelPrefix: prefix(dnsLabelProblem),
  dns1123SubdomainPrefix: prefix(dnsSubdomainProblem),
  dns1035LabelPrefix: prefix(dns1035Problem),
  labelValue: labelValueProblem,
  uri: (text) => {
    const address = parseAddress(text)
    return typeof address === 'string' ? address : undefined
  },
  uuid: unless((text) => uuid.test(text), 'does not match the UUID format'),
  byte: unless((text) => text !== '' && isBase64(text), 'invalid base64'),
  date: unless(isDate, 'invalid date'),
  datetime: unless((text) => parseTimestampNanos(text) !== undefined, 'invalid datetime'),
}

const type = 'kubernetes.NamedFormat'
const formatValue = (name: string, problem: (text: string) => string | undefined) =>
  new Opaque(type, name, new NamedFormat(problem))

export const formatFunctions: readonly Overload[] = [
  ...Object.entries(formats).map(([name, problem]) => fn(`format.${name}`, '', type, () => formatValue(name, problem))),
  fn('format.named', 'string', `optional_type(${type})`, ([name]) => {
    const text = textOf(name)
    const problem = Object.hasOwn(formats, text) ? formats[text] : undefined
    return problem ? new Optional(formatValue(text, problem)) : none
  }),
  method('validate', `${type}, string`, 'optional_type(list(string))', ([format, text]) => {
    const problem = contentOf(format, NamedFormat).problem(textOf(text))
    return problem === undefined ? none : new Optional(textList([problem]))
  }),
]
