import type { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { callUserEndpoint } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { bodyTooLarge, boundaryOf } from '../../formats/form/form-reader.ts'
import { createTranscriptionCall } from '../../formats/form/transcription-call.ts'
import { Upload } from '../../formats/form/upload.ts'
import { defineRoute } from '../../http/define-route.ts'
import { requestBody } from '../../http/expect-continue.ts'
import { serveRelayed } from './relayed.ts'
import { runTurn } from './run-turn.ts'

/** `POST /v1/audio/transcriptions`: a form that is passed on as it arrives. The user comes from the key or a header. */
export function registerTranscriptionRoutes(app: FastifyInstance, context: AppContext): void {
  const maxBytes = context.options.bodyLimitBytes
  app.register(async (scoped) => {
    scoped.removeAllContentTypeParsers()
    scoped.addContentTypeParser('multipart/form-data', (_request, payload, done) => done(null, payload))
    scoped.post<{ Body: Readable }>(
      '/v1/audio/transcriptions',
      defineRoute('chat', { tag: 'gateway', summary: 'Relays a form with a recording (multipart/form-data).' }),
      (request, reply) => {
        reply.hijack()
        return runTurn(context, { request, response: reply.raw }, async (_request, user, options) => {
          const boundary = boundaryOf(request.headers['content-type'] ?? '')
          if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw bodyTooLarge()
          requestBody(request.raw)
          const upload = await Upload.open(request.body, { boundary, maxBytes })
          const closeUpload = (): void => void upload[Symbol.asyncDispose]().catch(() => undefined)
          if (reply.raw.destroyed) closeUpload()
          else reply.raw.once('close', closeUpload)
          return serveRelayed(await callUserEndpoint(user, createTranscriptionCall(upload), options))
        })
      },
    )
  })
}
