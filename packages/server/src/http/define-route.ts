import type { FastifySchema, RouteOptions, RouteShorthandOptions } from 'fastify'
import type { Scope } from '../auth/scopes.ts'
import { objectSchema, type Schema, TEXT } from './schemas.ts'

export interface RouteDefinition {
  /** One sentence for the API document. */
  readonly summary: string
  readonly tag: string
  readonly query?: Readonly<Record<string, Schema>>
  readonly body?: Schema
  /** All path parameters, when there are others than `:id`. */
  readonly params?: readonly string[]
  /**
   * What an application reports about its users all the time. It leaves an event only when a person asks for it. Every
   * other change leaves one for every caller.
   */
  readonly isTraffic?: boolean
  /** The body of a 2xx response, for the API document. */
  readonly response?: Schema
}

/** Tags of routes that accept unknown query parameters, because OpenAI clients, probes and browsers add their own. */
const LENIENT_TAGS: readonly string[] = ['gateway', 'service', 'deck']
const MUTATING_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE']

/** The Fastify options of a route: its required scope and its schemas, for validation and for the API document. */
export function defineRoute(scope: Scope, definition: RouteDefinition): RouteShorthandOptions {
  const { summary, tag, body, params, response, isTraffic = false } = definition
  const query = definition.query ?? (LENIENT_TAGS.includes(tag) ? undefined : {})
  const schema: FastifySchema & Record<string, unknown> = {
    summary,
    tags: [tag],
    description: `Scope: ${scope}.`,
    ...(scope === 'public' ? { security: [] } : {}),
    ...(query === undefined ? {} : { querystring: objectSchema(query) }),
    ...(params === undefined ? {} : { params: pathSchema(params) }),
    ...(body === undefined ? {} : { body }),
    response: { '2xx': response ?? { description: 'Done.' }, '4xx': { $ref: 'Problem#' }, '5xx': { $ref: 'Problem#' } },
  }
  return { schema, config: { scope, isTraffic }, serializerCompiler: serializeAll }
}

/** A response schema documents the body and must not remove fields from it. */
function serializeAll(): (body: unknown) => string {
  return (body) => JSON.stringify(body)
}

/** Whether a route belongs to the management API and may change something. */
export function isMutation({
  method,
  routePath,
}: Pick<RouteOptions, 'method'> & { readonly routePath: string }): boolean {
  return MUTATING_METHODS.includes(String(method)) && routePath.startsWith('/api/')
}

function pathSchema(params: readonly string[]): Schema {
  return objectSchema(Object.fromEntries(params.map((name) => [name, TEXT])), params)
}
