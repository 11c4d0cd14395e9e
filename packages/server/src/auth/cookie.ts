import { SESSION_MS } from './sessions.ts'

const NAME = 'purser_session'

export interface CookieOptions {
  /** The prefix the server is mounted under; the cookie's path. */
  readonly prefix: string
  /** Sets `Secure`. */
  readonly isSecure: boolean
}

export function createSessionCookie(token: string, options: CookieOptions): string {
  return `${NAME}=${token}; ${formatAttributes(options)}; Max-Age=${SESSION_MS / 1000}`
}

export function clearSessionCookie(options: CookieOptions): string {
  return `${NAME}=; ${formatAttributes(options)}; Max-Age=0`
}

/** The session token in a `Cookie` header. */
export function parseSessionCookie(header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, value] = pair.trim().split('=', 2)
    if (name === NAME && value) return value
  }
  return undefined
}

function formatAttributes({ prefix, isSecure }: CookieOptions): string {
  return `Path=${prefix}/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
}
