import type { FastifySchema } from 'fastify'
import { NO_BODY } from '../http/unread-bodies.ts'

/** The schema of a route as the API document tells it: under a name, and without a body where none is taken. */
export function operation(schema: FastifySchema, method: string, path: string): FastifySchema {
  const { body, ...rest } = schema
  const taken = body === undefined || body === NO_BODY ? {} : { body }
  return { ...rest, ...taken, operationId: operationId(method, path) }
}

/** `GET /api/users/:id/bond` is `getApiUsersByIdBond`; where the server is mounted is no part of it. */
function operationId(method: string, path: string): string {
  const words = path.replace('*', 'any').replaceAll(':', 'by-').split(/\W+/)
  return method.toLowerCase() + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')
}

/** As much of an OpenAPI document as is mended here. */
interface Document {
  readonly paths?: Readonly<Record<string, object | undefined>>
}

interface Operation {
  readonly requestBody?: { required?: boolean; readonly content: Readonly<Record<string, Media>> }
}

interface Media {
  readonly schema?: { readonly type?: string | readonly string[] }
}

/** A body that may be null may be left out; the document would have every body required. */
export function withOptionalBodies<Whole extends Document>(document: Whole): Whole {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => Object.values(path ?? {}) as Operation[])
  for (const { requestBody } of operations) {
    if (requestBody === undefined) continue
    requestBody.required = Object.values(requestBody.content).every(({ schema }) => !schema?.type?.includes('null'))
  }
  return document
}
