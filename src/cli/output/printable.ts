/** What came from elsewhere must not reach the controls of the terminal. */
export const printable = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')
