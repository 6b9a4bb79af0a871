/** Every operation in the root namespace. A file for each namespace: two processes share the work. */
import { describeEndpoints } from './endpoint-rules.ts'

await describeEndpoints('')
