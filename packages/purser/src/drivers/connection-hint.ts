/*
 * What is wrong with a connection that was not made, as far as the error of Node says. The texts name no host and no file.
 */

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'A certificate file that the URL names cannot be read.',
  EAI_AGAIN: 'The name of the host cannot be resolved at the moment.',
  ECONNREFUSED: 'Nothing listens at the address of the store: check host and port, and whether the server runs.',
  ENOENT: 'A file that the URL names does not exist: a certificate, or the socket of the server.',
  ENOTFOUND: 'The host of the store does not exist: check its name.',
  EPROTO: 'The server does not speak TLS at this port.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'The server does not speak TLS at this port.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    "The certificate of the server is for another host: use the host's name in the certificate.",
  CERT_HAS_EXPIRED: 'The certificate of the server has expired.',
}
/** Of a chain that ends in no known authority. */
const UNTRUSTED = /SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)|CERT_UNTRUSTED/

/** A cause of a cause is looked at, and its cause. */
const MAX_DEPTH = 4

/** Undefined when the error says nothing more than that there is no connection. */
export function connectionHint(error: unknown): string | undefined {
  let cause = error
  for (let depth = 0; depth < MAX_DEPTH && cause instanceof Error; depth++) {
    const code = 'code' in cause ? String(cause.code) : ''
    const hint = UNTRUSTED.test(code)
      ? 'The certificate of the server is not signed by an authority that Node trusts: name its CA file.'
      : HINTS[code]
    if (hint !== undefined) return hint
    cause = cause.cause
  }
  return undefined
}
