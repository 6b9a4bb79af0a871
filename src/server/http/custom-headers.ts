/** Headers that the operator wants on answers, by status: "default", "2xx" … "5xx", "404". */
export type CustomHeaders = Readonly<Record<string, Readonly<Record<string, string>>>>

/** The most particular wins: a status over its class over the default. An answer's own headers stay. */
export function customHeadersFor(custom: CustomHeaders, status: number): Readonly<Record<string, string>> {
  return { ...custom['default'], ...custom[`${Math.floor(status / 100)}xx`], ...custom[String(status)] }
}

/** "default", "1xx" to "5xx" or a status. */
export const isStatusSelector = (text: string) => text === 'default' || /^[1-5](?:xx|\d\d)$/.test(text)
