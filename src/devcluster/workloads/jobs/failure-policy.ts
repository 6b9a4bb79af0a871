/** What a failed pod means by the Job's podFailurePolicy. */
import type {
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
} from 'kubernetes-types/batch/v1.d.ts'
import type { ContainerStatus } from 'kubernetes-types/core/v1.d.ts'
import type { Pod } from '../../../kube/object-types.ts'

export interface FailureVerdict {
  readonly action: string | undefined
  /** Whether it counts towards the limits. */
  readonly counts: boolean
  /** Why the Job fails by it. */
  readonly failJob: string | undefined
}

/** The first rule that fits decides. */
export function judgeFailure(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const what = matched(rule, pod)
    if (what === undefined) continue
    const { action } = rule
    const failJob = action === 'FailJob' ? `${what} matching FailJob rule at index ${index}` : undefined
    return { action, counts: action !== 'Ignore', failJob }
  }
  return { action: undefined, counts: true, failJob: undefined }
}

function matched({ onExitCodes, onPodConditions = [] }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const where = `${pod.metadata.namespace}/${pod.metadata.name}`
  if (onExitCodes) {
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {}
    const found = [...containerStatuses, ...initContainerStatuses].find((status) => exitedWith(onExitCodes, status))
    if (!found) return undefined
    return `Container ${found.name} for pod ${where} failed with exit code ${found.state?.terminated?.exitCode}`
  }
  const found = pod.status?.conditions?.find(({ type, status }) =>
    onPodConditions.some((pattern) => pattern.type === type && pattern.status === status),
  )
  return found && `Pod ${where} has condition ${found.type}`
}

function exitedWith(
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
  { name, state }: ContainerStatus,
): boolean {
  const code = state?.terminated?.exitCode ?? 0
  if (code === 0 || (containerName !== undefined && containerName !== name)) return false
  return values.includes(code) === (operator === 'In')
}
