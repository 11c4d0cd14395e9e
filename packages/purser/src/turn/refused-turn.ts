import type { ServerResponse } from 'node:http'
import type { Refused } from '../ledger/decide/admission.ts'
import { toRefusalResponse } from '../openai/error-response.ts'
import { rateLimitHeaders } from '../openai/rate-limit-headers.ts'

/** A turn that was not admitted. It cost nothing and reached no model. */
export interface RefusedTurn {
  readonly allowed: false
  readonly admission: Refused
  /** 429 `insufficient_quota` or 403 `user_blocked`, as an OpenAI error body. */
  toResponse(): Response
  /** The same into a Node response. */
  pipe(response: ServerResponse): Promise<void>
}

export function createRefusedTurn(admission: Refused, now: number): RefusedTurn {
  const problem = toRefusalResponse(admission)
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'private, no-store',
    ...rateLimitHeaders(admission, now),
    ...problem.headers,
  }
  return {
    allowed: false,
    admission,
    toResponse: () => new Response(JSON.stringify(problem.body), { status: problem.status, headers }),
    async pipe(response) {
      response.writeHead(problem.status, headers).end(JSON.stringify(problem.body))
    },
  }
}
