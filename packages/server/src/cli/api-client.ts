import { ApiError, UsageError } from './errors.ts'

export interface ApiRequestOptions {
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | boolean | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** A client of the management API. Path segments are encoded; error responses are thrown as `ApiError`. */
export interface ApiClient {
  /** Returns the parsed body; undefined without one. */
  request(method: string, segments: readonly string[], options?: ApiRequestOptions): Promise<unknown>
  /** Sends a GET whose response body is read as it arrives. */
  stream(segments: readonly string[], options?: ApiRequestOptions): Promise<Response>
}

/** `baseUrl` is the URL of the server with its prefix, without a trailing slash. */
export function createApiClient(baseUrl: string, send: (request: Request) => Promise<Response>): ApiClient {
  async function fetchApi(method: string, segments: readonly string[], options: ApiRequestOptions): Promise<Response> {
    const response = await send(createRequest(getUrl(baseUrl, segments, options.query), method, options))
    if (!response.ok) throw await parseError(response)
    return response
  }
  return {
    stream: (segments, options = {}) => fetchApi('GET', segments, options),
    async request(method, segments, options = {}) {
      const text = await (await fetchApi(method, segments, options)).text()
      return text === '' ? undefined : JSON.parse(text)
    },
  }
}

/** Rejects ids that a URL drops from its path, which would change the route that is called. */
export function requireSegment(id: string): void {
  if (['', '.', '..'].includes(id)) throw new UsageError("An id must be 1 to 256 bytes of text, and not '.' or '..'.")
}

function getUrl(baseUrl: string, segments: readonly string[], query: ApiRequestOptions['query'] = {}): URL {
  for (const segment of segments) requireSegment(segment)
  const url = new URL(`${baseUrl}/api/${segments.map(encodeURIComponent).join('/')}`)
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url
}

function createRequest(url: URL, method: string, { body, headers = {}, signal }: ApiRequestOptions): Request {
  return new Request(url, {
    method,
    headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
}

async function parseError(response: Response): Promise<ApiError> {
  const text = await response.text()
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; hint?: string } }
    return new ApiError(response.status, error)
  } catch {
    const message = `The server responded with status ${response.status}.`
    return new ApiError(response.status, { code: 'unexpected', message })
  }
}
