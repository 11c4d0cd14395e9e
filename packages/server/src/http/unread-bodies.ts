import type { FastifyInstance } from 'fastify'
import { isChange, optionalObject, type Schema } from './route.ts'

/** The body of a route that takes none. */
export const NO_BODY: Schema = optionalObject({})

/**
 * What is said in a body that a route does not read is not done, so whoever says it has to hear of it. Register it
 * before the routes.
 */
export function refuseUnreadBodies(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (isChange(route)) route.schema = { body: NO_BODY, ...route.schema }
  })
}
