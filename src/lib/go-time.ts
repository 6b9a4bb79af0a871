const dayMs = 86_400_000
/** From year 1 of the calendar of RFC 3339 to 9999: outside, years have other forms. */
const [firstMs, endMs] = [Date.UTC(2000, 0, 1) - 730_119 * dayMs, Date.UTC(10_000, 0, 1)]
const two = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))

/**
 * RFC 3339 with nanoseconds as Go prints it: UTC, trailing zeros of the fraction cut. `ms` since the epoch. By arithmetic:
 * Date.toISOString and the cut take about three times as long.
 */
export function formatGoTime(ms: number): string {
  if (!(ms >= firstMs && ms < endMs)) return cut(new Date(ms).toISOString())
  const whole = Math.floor(ms)
  const days = Math.floor(whole / dayMs)
  const inDay = whole - days * dayMs
  const seconds = Math.floor(inDay / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const time = `${two[hours]}:${two[minutes - hours * 60]}:${two[seconds - minutes * 60]}`
  return `${dateText(days)}T${time}${fraction(inDay - seconds * 1000)}Z`
}

const daysIn400Years = 146_097

/**
 * The date so many days after 1970-01-01. Years begin in March here, so that the day that only some of them have is the last;
 * https://howardhinnant.github.io/date_algorithms.html (civil_from_days).
 */
function dateText(days: number): string {
  const sinceMarch0 = days + 719_468
  const era = Math.floor(sinceMarch0 / daysIn400Years)
  const dayOfEra = sinceMarch0 - era * daysIn400Years
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  return `${two[Math.floor(year / 100)]}${two[year % 100]}-${two[month]}-${two[day]}`
}

function fraction(ms: number): string {
  if (ms === 0) return ''
  const [tenths, rest] = [Math.floor(ms / 100), ms % 100]
  if (rest === 0) return `.${tenths}`
  return rest % 10 === 0 ? `.${tenths}${rest / 10}` : `.${tenths}${two[rest]}`
}

function cut(text: string): string {
  return text.replace(/\.?0*Z$/, 'Z')
}
