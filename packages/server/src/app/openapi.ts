import fastifySwagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { route } from '../http/route.ts'
import { operation, withOptionalBodies } from './operation-ids.ts'
import { VERSION } from './version.ts'

/** The error body, everywhere. */
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

/** `GET /openapi.json`, made from the schemas that the routes are checked with. Register it before the routes. */
export async function apiDocument(app: FastifyInstance): Promise<void> {
  app.addSchema(PROBLEM)
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Purser', version: VERSION, description: 'Gateway and management API of Purser.' },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    transform: ({ schema, url, route }) => ({
      schema: operation(schema, String(route.method), url.slice(app.prefix.length)),
      url,
    }),
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `schema-${index}`) },
  })
  app.get('/openapi.json', route('public', { tag: 'service', summary: 'This document.' }), async () =>
    withOptionalBodies(app.swagger()),
  )
}
