import type { Clock } from '../lib/clock.ts'
import type { TokenHolder } from './auth/token-holder.ts'
import { type Outage, rfc3339 } from './outage.ts'
import type { TemplateJob } from './render/template-job.ts'
import type { ChangeFeed } from './secrets/change-feed.ts'
import type { Dependencies } from './secrets/dependencies.ts'

/** The body of GET /agent/v1/status: times are RFC 3339, no values. */
export function agentStatus(o: {
  clock: Clock
  tokens: TokenHolder
  outage: Outage
  feed: ChangeFeed
  dependencies: Dependencies
  jobs: readonly TemplateJob[]
}): object {
  const { tokens, outage, feed, dependencies, jobs, clock } = o
  const { current } = outage
  const token = tokens.state
  return {
    token: {
      state: token.state,
      accessor: token.accessor ?? null,
      policies: token.policies ?? [],
      issued: time(token.issuedAt),
      renewed: time(token.renewedAt),
      expires: time(token.expiresAt),
      error: token.error ?? null,
    },
    stale: current ? { since: rfc3339(current.since), reason: current.reason } : null,
    changes: feed.state,
    templates: jobs.map((job) => templateStatus(job, dependencies, clock.now())),
  }
}

function templateStatus(job: TemplateJob, dependencies: Dependencies, now: number) {
  const states = [...job.used].flatMap((key) => dependencies.state(key) ?? [])
  const success = oldest(states.map((s) => s.lastSuccess))
  const since = oldest(states.flatMap((s) => s.failingSince ?? []))
  const until = oldest(states.flatMap((s) => s.validUntil ?? []))
  return {
    destination: job.config.destination,
    rendered: job.rendered,
    last_success: time(success),
    age_seconds: success === undefined ? null : Math.max(0, Math.round((now - success) / 1000)),
    last_change: time(job.lastChange),
    stale: job.rendered && since !== undefined,
    stale_since: time(since),
    // Without a lease nothing says when the value ends.
    stale_until: since === undefined ? null : time(until),
    error: job.error ?? states.find((s) => s.error !== undefined)?.error ?? null,
  }
}

/** Undefined when one of them is, or there is none. */
function oldest(times: readonly (number | undefined)[]): number | undefined {
  let least: number | undefined
  for (const at of times) {
    if (at === undefined) return undefined
    least = least === undefined ? at : Math.min(least, at)
  }
  return least
}

const time = (ms: number | undefined): string | null => (ms === undefined ? null : rfc3339(ms))
