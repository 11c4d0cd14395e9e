import { isIP } from 'node:net'
import { HttpError } from '../app/errors.ts'

/** The headers that name the source and the target of a request. */
export interface RequestOrigin {
  readonly host: string | undefined
  readonly origin: string | undefined
  /** `sec-fetch-site`, which a page cannot set. */
  readonly site: string | undefined
  readonly isHttps: boolean
}

/** The configured addresses of this server. */
export interface ServerAddress {
  readonly publicUrl: string | undefined
  readonly host: string
}

/**
 * Protects sessions against DNS rebinding: a page under a foreign name that resolves to this machine must not use the
 * session of the Deck. Accepts the host of `publicUrl`, an IP address, `localhost` and the name the server listens on.
 */
export function validateHost({ host }: RequestOrigin, address: ServerAddress): void {
  const name = parseHostname(host)
  const isKnown =
    name !== undefined &&
    (name === 'localhost' ||
      isIP(name) !== 0 ||
      name === address.host.toLowerCase() ||
      (address.publicUrl !== undefined && name === new URL(address.publicUrl).hostname))
  if (isKnown) return
  throw new HttpError(403, 'host_mismatch', 'Unknown Host header.', {
    hint: 'Set server.publicUrl to the address that browsers use.',
  })
}

/** Protects sessions against cross-site requests: a change with a session must come from a page of the same origin. */
export function validateOrigin(request: RequestOrigin, address: ServerAddress): void {
  validateHost(request, address)
  const allowed = [`${request.isHttps ? 'https' : 'http'}://${request.host?.toLowerCase()}`]
  if (address.publicUrl !== undefined) allowed.push(new URL(address.publicUrl).origin)
  const isSameSite = request.site === undefined || request.site === 'same-origin'
  if (isSameSite && request.origin !== undefined && allowed.includes(request.origin.toLowerCase())) return
  throw new HttpError(403, 'origin_mismatch', 'A session can only be used from the Deck itself.', {
    hint: 'Programs authenticate with a key: Authorization: Bearer KEY.',
  })
}

function parseHostname(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '')
}
