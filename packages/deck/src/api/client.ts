import { createIdempotencyKey, sendRequest } from '../browser/effects.ts'
import type { Problem, Routes } from './wire.ts'

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

/** A route of the management API, such as `GET /api/users/{id}/bond`. */
export type RouteName = keyof Routes

type PathOf<Name extends RouteName> = Name extends `${string} ${infer Path}` ? Path : never

type ParamNames<Path> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | ParamNames<Rest> : never

/** The parameters of a path, by name; absent for a path without parameters. */
type WithParams<Path> = [ParamNames<Path>] extends [never]
  ? { readonly params?: undefined }
  : { readonly params: Readonly<Record<ParamNames<Path>, string>> }

/** A query; numbers are written as text, and '' is left out like undefined. */
export type QueryOf<Name extends RouteName> = {
  readonly [Field in keyof Routes[Name]['query']]?: Routes[Name]['query'][Field] | number | ''
}

export type CallOptions<Name extends RouteName> = WithParams<PathOf<Name>> & {
  readonly query?: QueryOf<Name>
  readonly body?: Routes[Name]['body']
  readonly signal?: AbortSignal | undefined
}

/** One item of the list that a route returns. */
export type ItemOf<Name extends RouteName> = Routes[Name]['response'] extends { readonly data: readonly (infer Item)[] }
  ? Item
  : never

/** Builds an address of the API. Each path segment is encoded on its own, so that no user id can reach another route. */
export function apiUrl(
  path: string,
  params: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | number | undefined>> = {},
): URL {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const url = new URL(filled.replace(/^\/api\//, ''), API)
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
  }
  return url
}

/** Calls a route of the API and resolves to the parsed body; rejects with `ApiError`. */
export async function callApi<Name extends RouteName>(
  name: Name,
  ...[options]: [ParamNames<PathOf<Name>>] extends [never] ? [CallOptions<Name>?] : [CallOptions<Name>]
): Promise<Routes[Name]['response']> {
  const { params, query, body, signal } = (options ?? {}) as CallOptions<RouteName>
  const [method = '', path = ''] = name.split(' ')
  const { response, text } = await send(apiUrl(path, params, query), { method, body, signal })
  const parsed = parseJson(text)
  if (response.ok) return parsed as Routes[Name]['response']
  throw createApiError(response.status, parsed)
}

interface Sending {
  readonly method: string
  readonly body: unknown
  readonly signal: AbortSignal | undefined
}

async function send(url: URL, { method, body, signal }: Sending): Promise<{ response: Response; text: string }> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  try {
    const response = await sendRequest(url, {
      method,
      headers: buildHeaders(method, body),
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      credentials: 'same-origin',
      cache: 'no-store',
    })
    return { response, text: await response.text() }
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ApiError(0, {
      message: 'The server is unreachable.',
      code: 'unreachable',
      hint: 'Check that it is running.',
    })
  }
}

function buildHeaders(method: string, body: unknown): Headers {
  const headers = new Headers({ accept: 'application/json' })
  if (body !== undefined) headers.set('content-type', 'application/json')
  if (method === 'POST') headers.set('idempotency-key', createIdempotencyKey())
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
  const error = (body as Partial<Problem> | undefined)?.error
  return new ApiError(status, {
    message: error?.message ?? `The server responded with status ${status}.`,
    code: error?.code ?? 'unexpected',
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
    ...(error?.requestId === undefined ? {} : { requestId: error.requestId }),
  })
}
