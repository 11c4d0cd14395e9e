import { existsSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { HttpError } from '../app/errors.ts'
import { defineRoute } from '../http/define-route.ts'

/** No inline code or styles, nothing from other origins, no text as markup or code, no framing. */
export const DECK_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const YEAR_SECONDS = 31_536_000
const tag = 'deck'

/** In the published package the page is copied to `dist/deck`; in the workspace it is where Vite builds it. */
const DIRECTORIES = ['../deck/', '../../../deck/dist/'] as const

/** The directory of the built page; undefined when the page has not been built. */
export function getDeckDirectory(): string | undefined {
  return DIRECTORIES.map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) =>
    existsSync(`${path}index.html`),
  )
}

/** `/deck/`: the page of the Observation Deck. Its files are public; the API calls of the page need a session. */
export async function registerDeckRoutes(app: FastifyInstance): Promise<void> {
  const root = getDeckDirectory()
  await app.register(fastifyStatic, {
    serve: false,
    ...(root === undefined ? {} : { root }),
    // Only for files that exist, so that an error response is not cached.
    setHeaders: (reply, path) => void reply.headers(getFileHeaders(relative(root ?? '', path))),
    cacheControl: false,
    preCompressed: true,
  })
  app.get('/deck', defineRoute('public', { tag, summary: 'Redirects to /deck/.' }), async (_request, reply) =>
    reply.redirect('./deck/', 308),
  )
  app.get('/deck/*', defineRoute('public', { tag, summary: 'The Observation Deck.' }), async (request, reply) => {
    const path = (request.params as { '*': string })['*']
    if (root === undefined) {
      throw new HttpError(404, 'deck_missing', 'The Deck has not been built.', { hint: 'Run: npm run build' })
    }
    // A compressed file is only sent as the encoding of the file it was made from.
    if (/\.(br|gz|zst)$/i.test(path)) return reply.callNotFound()
    return reply.sendFile(path === '' ? 'index.html' : path)
  })
}

/** An asset's name contains a hash of its content, so it is cached for a year; the page is revalidated. */
function getFileHeaders(path: string): Readonly<Record<string, string>> {
  const isHashed = path.startsWith(`assets${sep}`)
  return {
    'content-security-policy': DECK_POLICY,
    'cache-control': isHashed ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
    'cross-origin-opener-policy': 'same-origin',
  }
}
