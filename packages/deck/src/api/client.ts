import { freshKey, request } from '../browser/effects.ts'

/** The management API stands beside the page, whatever prefix both are mounted under. */
const API: URL = new URL('../api/', document.baseURI)

/** A request that takes longer than this is given up. */
const TIMEOUT_MS = 30_000

/** What the server said no with; status 0 when it could not be reached at all. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly hint: string | undefined
  readonly requestId: string | undefined

  constructor(status: number, error: { message: string; code: string; hint?: string; requestId?: string }) {
    super(error.message)
    this.status = status
    this.code = error.code
    this.hint = error.hint
    this.requestId = error.requestId
  }
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** Path segments are encoded one by one, so that no user id can reach another route. */
export function apiUrl(
  segments: readonly string[],
  search: Readonly<Record<string, string | number | undefined>> = {},
): URL {
  const url = new URL(segments.map(encodeURIComponent).join('/'), API)
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
  }
  return url
}

/** One call of the management API. Answers the parsed body; throws `ApiError`. */
export async function call<Answer>(url: URL, options: Call = {}): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  let response: Response
  let text: string
  try {
    response = await request(url, {
      method: options.method ?? 'GET',
      headers: headersOf(options),
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    })
    text = await response.text()
  } catch (cause) {
    if (options.signal?.aborted) throw cause
    throw new ApiError(0, { message: 'Purser cannot be reached.', code: 'unreachable', hint: 'Is the server running?' })
  }
  const answer = parse(text)
  if (response.ok) return answer as Answer
  throw refusal(response.status, answer)
}

function headersOf(options: Call): Headers {
  const headers = new Headers({ accept: 'application/json' })
  if (options.body !== undefined) headers.set('content-type', 'application/json')
  if (options.method === 'POST') headers.set('idempotency-key', freshKey())
  return headers
}

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refusal(status: number, answer: unknown): ApiError {
  const error = (
    answer as { error?: { message?: string; code?: string; hint?: string; requestId?: string } } | undefined
  )?.error
  return new ApiError(status, {
    message: error?.message ?? `The server answered with status ${status}.`,
    code: error?.code ?? 'unexpected',
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
    ...(error?.requestId === undefined ? {} : { requestId: error.requestId }),
  })
}
