import type { FastifyInstance } from 'fastify'
import { parseExactJson } from 'purser/internal'
import { HttpError } from '../app/errors.ts'
import { isMutation } from './define-route.ts'
import { NO_BODY } from './schemas.ts'

/**
 * Accepts JSON bodies only. An empty body counts as absent, because some clients name a JSON body and send none. Other
 * media types and compressed bodies are rejected with 415.
 */
export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  const types = ['application/json', 'application/merge-patch+json']
  app.addContentTypeParser<string>(types, { parseAs: 'string' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') done(unsupportedEncoding(encoding))
    else if (body === '') done(null, undefined)
    else if (request.routeOptions.config.hasExactNumbers === true) {
      // The first parser rejects names that would change a prototype.
      parse(request, body, (error) => (error ? done(error) : done(null, parseExactJson(body))))
    } else parse(request, body, done)
  })
}

/**
 * Rejects a body that a management route does not read, so that a caller never believes it had an effect. Register
 * before the routes.
 */
export function rejectUnreadBodies(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (isMutation(route)) route.schema = { body: NO_BODY, ...route.schema }
  })
}

function unsupportedEncoding(encoding: string): HttpError {
  return new HttpError(415, 'invalid_request_error', `Unsupported Content-Encoding: ${encoding}.`, {
    hint: 'Send the JSON uncompressed, without Content-Encoding.',
    headers: { 'accept-encoding': 'identity' },
  })
}
