import { type Dispatcher, Pool } from 'undici'
import type { HttpSource } from '../api.ts'
import type { ContextLimits } from '../limits.ts'
import type { SectionSource } from '../section.ts'
import { parseRequestTemplate } from './request-template.ts'

export interface HttpSourceConfig {
  readonly section: string
  readonly limits: ContextLimits
  readonly connections: number
}

/** The person is not known there: that is an answer, not an outage. */
const ABSENT = new Set([204, 404, 410])

/**
 * A section from another service, over its own pool of connections, so that a service that hangs holds up nothing
 * else. 2xx is data, 404 and 410 mean that there is nothing; everything else, redirects included, is an outage.
 */
export function httpSource(source: HttpSource, { section, limits, connections }: HttpSourceConfig): SectionSource {
  const template = parseRequestTemplate(source, section)
  const pool = new Pool(template.origin, {
    connections: Number.isFinite(connections) ? connections : null,
    headersTimeout: limits.flightAgeMs * 2,
    bodyTimeout: limits.flightAgeMs * 2,
    connect: { timeout: limits.flightAgeMs },
  })
  return {
    builtIn: false,
    async call({ id }, { signal }) {
      const answer = await pool.request({ ...template.fill(id), signal })
      return readAnswer(answer, limits.maxSourceBytes)
    },
    close: () => pool.destroy(),
  }
}

async function readAnswer({ statusCode, headers, body }: Dispatcher.ResponseData, maxBytes: number): Promise<unknown> {
  if (ABSENT.has(statusCode) || statusCode < 200 || statusCode > 299) {
    await body.dump()
    if (ABSENT.has(statusCode)) return null
    throw new Error(`The source answered ${statusCode}.`)
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    // Leaving the loop destroys the body, and with it the connection.
    if (bytes > maxBytes) throw new RangeError(`The source answered more than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  return /^text\/(?!json)/i.test(String(headers['content-type'] ?? '')) ? textOrJson(text) : JSON.parse(text)
}

/** Services often label JSON as text; what is not JSON is then meant as text. */
function textOrJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
