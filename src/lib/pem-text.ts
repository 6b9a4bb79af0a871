/** VAULT_CACERT_BYTES and its like hold PEM, or base64 of it. */
export const pemText = (text: string): string =>
  text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('utf8')
