/** A question about the whole server that is no single kind of request. */
import type { Limit } from '../limits.ts'
import type { Bench, Setting } from '../requests/measure.ts'

export interface Figure {
  readonly name: string
  readonly value: number
  /** `/s`, `ms`, `MB`, …; '' for a ratio. */
  readonly unit: string
  /** Absent: it is only told. */
  readonly limit?: Limit & { readonly side: 'at least' | 'below' }
}

export interface StudyResult {
  readonly study: string
  readonly title: string
  readonly figures: readonly Figure[]
  /** What the figures mean on this machine. */
  readonly notes: readonly string[]
}

export type StudySetting = Pick<Setting, 'connections' | 'seconds' | 'runs' | 'attempts'> & {
  /** How many secrets "many" are. */
  readonly secrets: number
}

export interface Study {
  readonly name: string
  readonly title: string
  readonly ci?: true
  /** Why it can't run here. */
  missing?(): string | undefined
  run(setting: StudySetting, bench: Bench): Promise<StudyResult>
}

export const atLeast = (limit: Limit) => ({ ...limit, side: 'at least' }) as const
export const below = (limit: Limit) => ({ ...limit, side: 'below' }) as const

/** False: it is worse than what it fails at. */
export function holds({ value, limit }: Figure): boolean {
  if (limit?.fails === undefined) return true
  return limit.side === 'below' ? value < limit.fails : value >= limit.fails
}

/** The work again while a limit is missed: another's load can only spoil a measurement. */
export async function attempted(
  setting: Pick<StudySetting, 'attempts'>,
  bench: Pick<Bench, 'progress'>,
  measure: () => Promise<readonly Figure[]>,
): Promise<readonly Figure[]> {
  for (let attempt = 1; ; attempt += 1) {
    const figures = await measure()
    const missed = figures.filter((figure) => !holds(figure))
    if (missed.length === 0 || attempt >= setting.attempts) return figures
    const said = missed.map(({ name, value, limit }) => `${name} ${value.toFixed(2)}, ${limit?.side} ${limit?.fails}`)
    bench.progress.note(`${said.join('; ')}: measured again`)
  }
}
