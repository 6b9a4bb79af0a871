const loopback = /^([a-z][a-z0-9+.-]*:\/\/(?:localhost|127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(?=[/?#]|$)/i

/** Exactly one of the client's; at the loopback interface with any port, as programs listen on the one that they get (RFC 8252, 7.3). */
export function isRedirectOf(uri: string, allowed: readonly string[]): boolean {
  if (allowed.includes(uri)) return true
  if (!loopback.test(uri)) return false
  const wanted = uri.replace(loopback, '$1')
  return allowed.some((one) => loopback.test(one) && one.replace(loopback, '$1') === wanted)
}
