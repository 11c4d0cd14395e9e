import type { FetchLike } from '@modelcontextprotocol/client'

const SESSION_HEADER = 'mcp-session-id'

/** A message of the handshake, as it was sent. */
interface Message {
  readonly headers: Headers
  readonly body: string
}

/** A session that replaced the one that the transport knows; without an id, the server has no sessions any more. */
interface Session {
  readonly id: string | null
}

/**
 * Sends requests in the current session. A server answers 404 for a session that it has forgotten, after a restart for
 * example: the request was not handled. The session is then initialized again, and the request is sent once more in the
 * new session. Concurrent requests share one renewal.
 */
export function createSessionFetch(fetch: FetchLike): FetchLike {
  let initialize: Message | undefined
  let initialized: Message | undefined
  let current: Session | undefined
  let renewal: Promise<void> | undefined

  function remember(init: RequestInit | undefined): void {
    const { body, headers } = init ?? {}
    if (initialized !== undefined || typeof body !== 'string') return
    if (body.includes('"method":"initialize"')) initialize ??= { headers: new Headers(headers), body }
    else if (body.includes('"method":"notifications/initialized"'))
      initialized = { headers: new Headers(headers), body }
  }

  const send = (input: string | URL, init: RequestInit | undefined): Promise<Response> =>
    fetch(input, current === undefined ? init : { ...init, headers: inSession(new Headers(init?.headers), current) })

  /** The handshake, with the signal of the request that needs it. */
  async function renew(input: string | URL, { signal }: RequestInit): Promise<void> {
    if (initialize === undefined || initialized === undefined) return
    const post = (message: Message, session: Session): Promise<Response> =>
      fetch(input, {
        method: 'POST',
        ...(signal && { signal }),
        headers: inSession(message.headers, session),
        body: message.body,
      })
    const response = await post(initialize, { id: null })
    await response.text()
    if (!response.ok) return
    const session = { id: response.headers.get(SESSION_HEADER) }
    const confirmed = await post(initialized, session)
    await confirmed.body?.cancel()
    if (confirmed.ok) current = session
  }

  return async (input, init) => {
    remember(init)
    const sentIn = current
    const response = await send(input, init)
    const hasSession = new Headers(init?.headers).has(SESSION_HEADER)
    if (response.status !== 404 || !hasSession || init?.method !== 'POST') return response
    if (current === sentIn) {
      renewal ??= renew(input, init)
        // Then the session stays lost, and the 404 is the answer.
        .catch(() => undefined)
        .finally(() => {
          renewal = undefined
        })
      await renewal
    }
    if (current === sentIn) return response
    await response.body?.cancel()
    return send(input, init)
  }
}

function inSession(headers: Headers, { id }: Session): Headers {
  const copy = new Headers(headers)
  if (id === null) copy.delete(SESSION_HEADER)
  else copy.set(SESSION_HEADER, id)
  return copy
}
