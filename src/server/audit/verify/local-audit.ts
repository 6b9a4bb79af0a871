/** What the command line does with audit files of this machine. */
import { openAuditFiles } from './open-files.ts'
import { type AuditMatch, type AuditQuery, queryAudit } from './query-audit.ts'
import { type VerifyInput, verifyAudit } from './verify-audit.ts'

export const localAudit = {
  async verify({ files, ...input }: Omit<VerifyInput, 'files'> & { readonly files: readonly string[] }) {
    return verifyAudit({ ...input, files: await openAuditFiles(files) })
  },

  async *query(
    files: readonly string[],
    query: AuditQuery,
    progress?: (lines: number, file: string) => void,
  ): AsyncGenerator<AuditMatch> {
    yield* queryAudit(await openAuditFiles(files), query, progress)
  },
}
