import { createIdempotencyKey, sendRequest } from '../browser/effects.ts'

/** Base URL of the management API: beside the page, whatever prefix both are mounted under. */
const API: URL = new URL('../api/', document.baseURI)

const REQUEST_TIMEOUT_MS = 30_000

/** An error response of the API; status 0 means that the server could not be reached. */
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

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** Builds an address of the API. Each path segment is encoded on its own, so that no user id can reach another route. */
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

/** Sends one request to the API and resolves to the parsed body; rejects with `ApiError`. */
export async function fetchApi<Body>(url: URL, options: RequestOptions = {}): Promise<Body> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  let response: Response
  let text: string
  try {
    response = await sendRequest(url, {
      method: options.method ?? 'GET',
      headers: buildHeaders(options),
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    })
    text = await response.text()
  } catch (cause) {
    if (options.signal?.aborted) throw cause
    throw new ApiError(0, {
      message: 'The server is unreachable.',
      code: 'unreachable',
      hint: 'Check that it is running.',
    })
  }
  const body = parseJson(text)
  if (response.ok) return body as Body
  throw createApiError(response.status, body)
}

function buildHeaders(options: RequestOptions): Headers {
  const headers = new Headers({ accept: 'application/json' })
  if (options.body !== undefined) headers.set('content-type', 'application/json')
  if (options.method === 'POST') headers.set('idempotency-key', createIdempotencyKey())
  return headers
}

function parseJson(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function createApiError(status: number, body: unknown): ApiError {
  const error = (body as { error?: { message?: string; code?: string; hint?: string; requestId?: string } } | undefined)
    ?.error
  return new ApiError(status, {
    message: error?.message ?? `The server responded with status ${status}.`,
    code: error?.code ?? 'unexpected',
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
    ...(error?.requestId === undefined ? {} : { requestId: error.requestId }),
  })
}
