import type { FetchLike } from '@modelcontextprotocol/client'
import { withSignal } from '../core/abort.ts'
import { createRedactor } from '../core/redact.ts'
import type { TokenSource } from '../runtime/oauth/ports.ts'

/** Limit for the body of an error response that is read to redact tokens in it. */
const ERROR_BODY_MAX_BYTES = 65_536

/** The token that another process has stored, and one that is issued now. */
const REPLACEMENTS_MAX = 2

/**
 * Sends each request with the user's current access token. A request with a rejected token was not processed: it is
 * sent again, with a token that another process has refreshed and then with a new one. Tokens that a server quotes in an error response are redacted.
 */
export function createBearerFetch(fetch: FetchLike, tokens: TokenSource): FetchLike {
  async function send(input: string | URL, init: RequestInit | undefined, token: string): Promise<Response> {
    const headers = new Headers(init?.headers)
    headers.set('authorization', `Bearer ${token}`)
    return fetch(input, { ...init, headers })
  }

  return async (input, init) => {
    // A session is ended with the last token: no token is refreshed for that.
    if (init?.method === 'DELETE')
      return tokens.lastToken === undefined ? notSent() : send(input, init, tokens.lastToken)
    const signal = init?.signal ?? undefined
    let token = await withSignal(tokens.getToken(), signal)
    let response = await send(input, init, token)
    for (let replaced = 0; response.status === 401 && replaced < REPLACEMENTS_MAX; replaced++) {
      await response.body?.cancel()
      token = await withSignal(tokens.replaceToken(token), signal)
      response = await send(input, init, token)
    }
    if (response.status === 401) {
      await response.body?.cancel()
      throw await tokens.describeRefusal(token)
    }
    tokens.confirmToken(token)
    return response.ok ? response : redactResponse(response, token)
  }
}

/** To the transport, status 405 means that the server does not end sessions on request. */
function notSent(): Response {
  return new Response(null, { status: 405 })
}

async function redactResponse(response: Response, token: string): Promise<Response> {
  const { status, statusText, headers } = response
  const length = Number(headers.get('content-length') ?? 0)
  if (response.body === null || length > ERROR_BODY_MAX_BYTES) {
    await response.body?.cancel()
    return new Response(null, { status, statusText, headers })
  }
  return new Response(createRedactor([token])(await readPrefix(response.body)), { status, statusText, headers })
}

/** A body without a content length may be endless. */
async function readPrefix(body: NonNullable<Response['body']>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > ERROR_BODY_MAX_BYTES) break
  }
  return text
}
