import { FilterError, type FilterLanguage, type Predicate, parseFilter } from '../../lib/filter-expression.ts'
import { parseJson } from '../../lib/json/parse.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import { isObject, text } from '../../sdk/envelope.ts'
import { Failure } from '../command.ts'

const part = (of: JsonObject, name: string): JsonObject => {
  const value: Json | undefined = of[name]
  return isObject(value) ? value : {}
}

/** What Vault lets a filter ask of a notice; the subject is the member `data` of its CloudEvent. */
const language: FilterLanguage<JsonObject> = {
  subject: 'a notice',
  properties: {
    event_type: (data) => text(data['event_type']),
    operation: (data) => text(part(part(data, 'event'), 'metadata')['operation']),
    source_plugin_mount: (data) => text(part(data, 'plugin_info')['mount_path']),
    data_path: (data) => {
      const metadata = part(part(data, 'event'), 'metadata')
      return text(metadata['data_path']) || text(metadata['path'])
    },
    namespace: (data) => text(data['namespace']),
  },
  // The pattern is of whoever runs this program, and so is the time that it takes.
  compile: (pattern) => {
    const compiled = new RegExp(pattern, 'u')
    return (words) => compiled.test(words)
  },
}

/** Whether a message is wanted. One that is no notice is never hidden. Failure 1 for what is no filter. */
export function noticeFilter(expression: string): Predicate<string> {
  try {
    const wanted = parseFilter(expression, language)
    return (message) => {
      const data = dataOf(message)
      return data === undefined || wanted(data)
    }
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw new Failure(1, `cannot parse -filter: ${error.message}`, { cause: error })
  }
}

function dataOf(message: string): JsonObject | undefined {
  try {
    const document = parseJson(message)
    return isObject(document) && isObject(document['data']) ? document['data'] : undefined
  } catch {
    return undefined
  }
}
