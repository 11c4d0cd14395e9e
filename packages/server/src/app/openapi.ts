import fastifySwagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { defineRoute } from '../http/define-route.ts'
import { RESPONSE_SCHEMAS } from '../http/response-schemas.ts'
import { NO_BODY } from '../http/schemas.ts'
import { VERSION } from './version.ts'

/** The error body of all routes. */
const PROBLEM = {
  $id: 'Problem',
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: 'string' },
        hint: { type: 'string' },
        requestId: { type: 'string' },
        issues: {
          type: 'array',
          items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } },
        },
      },
    },
  },
} as const

/** `GET /openapi.json`, generated from the schemas that validate the routes. Register before the routes. */
export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  app.addSchema(PROBLEM)
  for (const [name, schema] of Object.entries(RESPONSE_SCHEMAS)) app.addSchema({ $id: name, ...schema })
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Purser', version: VERSION, description: 'Gateway and management API of Purser.' },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    transform: ({ schema, url, route }) => ({
      schema: toOperation(schema, String(route.method), url.slice(app.prefix.length)),
      url,
    }),
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `schema-${index}`) },
  })
  app.get('/openapi.json', defineRoute('public', { tag: 'service', summary: 'This API document.' }), async () =>
    withOptionalBodies(app.swagger()),
  )
}

/** The schema of a route for the document: with an operation id, and without a body when the route reads none. */
function toOperation(schema: FastifySchema, method: string, path: string): FastifySchema {
  const { body, ...rest } = schema
  const documentedBody = body === undefined || body === NO_BODY ? {} : { body }
  return { ...rest, ...documentedBody, operationId: getOperationId(method, path) }
}

/** `GET /api/users/:id/bond` becomes `getApiUsersByIdBond`; `path` is without the prefix. */
function getOperationId(method: string, path: string): string {
  const words = path.replace('*', 'any').replaceAll(':', 'by-').split(/\W+/)
  return method.toLowerCase() + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')
}

/** The parts of an OpenAPI document that `withOptionalBodies` reads. */
interface Document {
  readonly paths?: Readonly<Record<string, object | undefined>>
}

interface Operation {
  readonly requestBody?: { required?: boolean; readonly content: Readonly<Record<string, Media>> }
}

interface Media {
  readonly schema?: { readonly type?: string | readonly string[] }
}

/** Marks bodies that may be null as optional; `@fastify/swagger` marks every body as required. */
function withOptionalBodies<OpenApi extends Document>(document: OpenApi): OpenApi {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => Object.values(path ?? {}) as Operation[])
  for (const { requestBody } of operations) {
    if (requestBody === undefined) continue
    requestBody.required = Object.values(requestBody.content).every(({ schema }) => !schema?.type?.includes('null'))
  }
  return document
}
