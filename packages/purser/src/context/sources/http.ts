import { type Dispatcher, Pool } from 'undici'
import { canDecode, decodeContent, parseContentEncoding } from '../../core/decode-content.ts'
import { createPersistentClient } from '../../core/persistent-client.ts'
import type { HttpSource } from '../../options/context-section.ts'
import type { ContextLimits } from '../limits.ts'
import type { SectionSource } from '../section.ts'
import { parseRequestTemplate } from './request-template.ts'

export interface HttpSourceOptions {
  readonly section: string
  readonly needsQuery: boolean
  readonly limits: ContextLimits
  readonly maxConnections: number
}

/** The service knows no such user: no data, but not an outage. */
const ABSENT = new Set([204, 404, 410])

/**
 * A section from another service, over its own connection pool, so that a service that hangs blocks no other. 2xx is
 * data, 204, 404 and 410 mean no data; any other status, redirects included, is an outage.
 */
export function createHttpSource(source: HttpSource, options: HttpSourceOptions): SectionSource {
  const { limits, maxConnections } = options
  const template = parseRequestTemplate(source, options)
  const pool = new Pool(template.origin, {
    factory: createPersistentClient,
    connections: Number.isFinite(maxConnections) ? maxConnections : null,
    headersTimeout: limits.loadTimeoutMs * 2,
    bodyTimeout: limits.loadTimeoutMs * 2,
    connect: { timeout: limits.loadTimeoutMs },
  })
  return {
    kind: 'http',
    isBuiltIn: false,
    async load({ id }, { signal, query = '' }) {
      const response = await pool.request({ ...template.fill({ user: id, query }), signal })
      const data = await readResponse(response, limits.maxSourceBytes)
      return data === null ? null : selectData(data, template.select)
    },
    close: () => pool.destroy(),
  }
}

async function readResponse(response: Dispatcher.ResponseData, maxBytes: number): Promise<unknown> {
  const { statusCode, headers, body } = response
  if (ABSENT.has(statusCode) || statusCode < 200 || statusCode > 299) {
    await body.dump()
    if (ABSENT.has(statusCode)) return null
    throw new Error(`The source returned status ${statusCode}.`)
  }
  const codings = parseContentEncoding(headers['content-encoding'])
  if (!canDecode(codings)) {
    await body.dump()
    throw new Error('The source returned a body with an unknown content coding.')
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of decodeContent(body, codings)) {
    bytes += chunk.length
    // Leaving the loop destroys the body and its connection.
    if (bytes > maxBytes) throw new RangeError(`The source returned more than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  // Some servers write a byte order mark, which is no JSON.
  const text = Buffer.concat(chunks)
    .toString()
    .replace(/^\uFEFF/, '')
  return /^text\/(?!json)/i.test(String(headers['content-type'] ?? '')) ? parseJsonOrText(text) : JSON.parse(text)
}

/** The data at a path in the answer. An answer without it is of a kind that was not expected: an outage, not no data. */
function selectData(data: unknown, path: readonly string[]): unknown {
  let selected = data
  for (const name of path) {
    if (typeof selected !== 'object' || selected === null || !Object.hasOwn(selected, name))
      throw new Error(`The answer of the source has no '${path.join('.')}'.`)
    selected = (selected as Record<string, unknown>)[name]
  }
  return selected
}

/** Some services label JSON as text. What is not JSON is taken as text. */
function parseJsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
