import { SESSION_MS } from './sessions.ts'

const NAME = 'purser_session'

/** What a session cookie depends on: the path it is mounted under and whether the way is encrypted. */
export interface CookieScope {
  readonly prefix: string
  readonly encrypted: boolean
}

export function sessionCookie(token: string, scope: CookieScope): string {
  return `${NAME}=${token}; ${attributes(scope)}; Max-Age=${SESSION_MS / 1000}`
}

export function clearedCookie(scope: CookieScope): string {
  return `${NAME}=; ${attributes(scope)}; Max-Age=0`
}

/** The session token in a `Cookie` header. */
export function sessionToken(header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, value] = pair.trim().split('=', 2)
    if (name === NAME && value) return value
  }
  return undefined
}

function attributes({ prefix, encrypted }: CookieScope): string {
  return `Path=${prefix}/; HttpOnly; SameSite=Strict${encrypted ? '; Secure' : ''}`
}
