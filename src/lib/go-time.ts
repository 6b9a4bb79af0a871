/** RFC 3339 with nanoseconds as Go prints it: UTC, trailing zeros of the fraction cut. `ms` since the epoch. */
export function formatGoTime(ms: number): string {
  const text = new Date(ms).toISOString()
  const fraction = text.slice(20, 23).replace(/0+$/, '')
  return `${text.slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`
}
