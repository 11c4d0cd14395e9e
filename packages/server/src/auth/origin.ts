import { isIP } from 'node:net'
import { HttpError } from '../app/errors.ts'

/** Where a request says it comes from and goes to. */
export interface OriginClaim {
  readonly host: string | undefined
  readonly origin: string | undefined
  /** `sec-fetch-site`, which no page can forge. */
  readonly site: string | undefined
  readonly encrypted: boolean
}

/** The address people use, if the operator has named it, and the address listened on. */
export interface Reachable {
  readonly publicUrl: string | undefined
  readonly host: string
}

/**
 * A page under a name of its own that resolves to this machine must not act with the session of the page that belongs
 * here. So the Host has to be one that was meant: the public address, an address in digits, `localhost`, or the name
 * listened on.
 */
export function checkHost(claim: OriginClaim, reachable: Reachable): void {
  const name = nameOf(claim.host)
  const known =
    name !== undefined &&
    (name === 'localhost' ||
      isIP(name) !== 0 ||
      name === reachable.host.toLowerCase() ||
      (reachable.publicUrl !== undefined && name === new URL(reachable.publicUrl).hostname))
  if (known) return
  throw new HttpError(403, 'host_mismatch', 'This Host is not known here.', {
    hint: 'Set server.publicUrl to the address that people use.',
  })
}

/** A change by a session has to come from a page of this very origin. */
export function checkOrigin(claim: OriginClaim, reachable: Reachable): void {
  checkHost(claim, reachable)
  const own = [`${claim.encrypted ? 'https' : 'http'}://${claim.host?.toLowerCase()}`]
  if (reachable.publicUrl !== undefined) own.push(new URL(reachable.publicUrl).origin)
  const sameSite = claim.site === undefined || claim.site === 'same-origin'
  if (sameSite && claim.origin !== undefined && own.includes(claim.origin.toLowerCase())) return
  throw new HttpError(403, 'origin_mismatch', 'A session may only be used from the Deck itself.', {
    hint: 'Programs use a key: Authorization: Bearer KEY.',
  })
}

function nameOf(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '')
}
