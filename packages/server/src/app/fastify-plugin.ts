import type { FastifyInstance, FastifyPluginAsync, HTTPMethods } from 'fastify'
import type { CreateServerOptions } from './options.ts'
import { createServer } from './server.ts'

/** Options of `createServer` without `prefix`, which Fastify takes from `register`. */
export type PurserPluginOptions = Omit<CreateServerOptions, 'prefix'>

/** Methods that routes of the server have. */
const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * Mounts the gateway, the management API and the Deck in a Fastify application, under the prefix of `register`. The
 * requests are answered as by a server of their own: parsers, validation and error handlers of the application do not see
 * them, its `onRequest` hooks do. The server is closed with the application; a Purser that was passed in stays open.
 *
 * @throws {PurserError} the errors of `createServer`, when the application becomes ready.
 * @example
 * await app.register(purserPlugin, { purser, prefix: '/purser' })
 */
export const purserPlugin: FastifyPluginAsync<PurserPluginOptions> = async (app, options) => {
  const { prefix: _, ...serverOptions } = options as PurserPluginOptions & { readonly prefix?: unknown }
  const server = await createServer({ ...serverOptions, prefix: app.prefix })
  leaveBodiesUnread(app)
  app.addHook('onClose', () => server.close())
  app.route({
    method: METHODS,
    url: '/*',
    async handler(request, reply) {
      reply.hijack()
      await server.node(request.raw, reply.raw)
    },
  })
}

function leaveBodiesUnread(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}
