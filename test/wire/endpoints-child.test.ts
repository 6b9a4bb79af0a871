/** Every operation in a child namespace. */
import { describeEndpoints } from './endpoint-rules.ts'
import { child } from './walk.ts'

await describeEndpoints(child)
