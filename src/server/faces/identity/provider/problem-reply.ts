import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Reply } from '../../../contracts/request.ts'
import { OidcProblem, type ProblemCode } from '../../../identity/oidc/login/oidc-problem.ts'

export interface ProblemForm {
  /** 400 for what is not named. */
  readonly statuses: Partial<Record<ProblemCode, number>>
  readonly headers?: (problem: OidcProblem) => Readonly<Record<string, string>>
  readonly besides?: JsonObject
}

/** Problems of OIDC have a form of their own; what else is thrown stays what it is. */
export async function orProblem(form: ProblemForm, answer: () => Promise<Reply>): Promise<Reply> {
  try {
    return await answer()
  } catch (problem) {
    if (!(problem instanceof OidcProblem)) throw problem
    return {
      kind: 'document',
      status: form.statuses[problem.error] ?? 400,
      body: { error: problem.error, error_description: problem.message, ...form.besides },
      ...(form.headers ? { headers: form.headers(problem) } : {}),
    }
  }
}
