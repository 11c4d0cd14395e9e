import type { FetchLike } from '@modelcontextprotocol/client'
import { withSignal } from '../core/abort.ts'
import { createRedactor } from '../core/redact.ts'
import type { TokenSource } from '../runtime/oauth/api.ts'

/** Read of an answer that is an error, to take tokens out of it. */
const ERROR_BODY_MAX_BYTES = 65_536

/**
 * Sends each request with the user's present token. A request that is refused for its token was not handled: it is
 * sent once more, with another. What a server says in an error goes on without the token that it may quote.
 */
export function bearerFetch(fetch: FetchLike, bearer: TokenSource): FetchLike {
  async function send(input: string | URL, init: RequestInit | undefined, token: string): Promise<Response> {
    const headers = new Headers(init?.headers)
    headers.set('authorization', `Bearer ${token}`)
    return fetch(input, { ...init, headers })
  }

  return async (input, init) => {
    // A connection that ends says so with what it has: for that no token is renewed.
    if (init?.method === 'DELETE') return bearer.last === undefined ? gone() : send(input, init, bearer.last)
    const leave = init?.signal ?? undefined
    let token = await withSignal(bearer.token(), leave)
    let response = await send(input, init, token)
    if (response.status === 401) {
      await response.body?.cancel()
      token = await withSignal(bearer.refused(token), leave)
      response = await send(input, init, token)
    }
    if (response.status === 401) {
      await response.body?.cancel()
      throw await bearer.refusedAgain(token)
    }
    bearer.accepted(token)
    return response.ok ? response : withoutToken(response, token)
  }
}

function gone(): Response {
  return new Response(null, { status: 405 })
}

async function withoutToken(response: Response, token: string): Promise<Response> {
  const { status, statusText, headers } = response
  const length = Number(headers.get('content-length') ?? 0)
  if (response.body === null || length > ERROR_BODY_MAX_BYTES) {
    await response.body?.cancel()
    return new Response(null, { status, statusText, headers })
  }
  return new Response(createRedactor([token])(await beginningOf(response.body)), { status, statusText, headers })
}

/** Also of a body that does not say how long it is. */
async function beginningOf(body: NonNullable<Response['body']>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > ERROR_BODY_MAX_BYTES) break
  }
  return text
}
