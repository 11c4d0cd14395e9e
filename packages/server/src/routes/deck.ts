import { existsSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { HttpError } from '../app/errors.ts'
import { route } from '../http/route.ts'

/** Nothing inline, nothing from elsewhere, no text that becomes markup or code, nobody may frame it. */
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

/** In the published package the page is copied beside the code; in the workspace it stands where it is built. */
const PLACES = ['../deck/', '../../../deck/dist/'] as const

export function deckDirectory(): string | undefined {
  return PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((path) =>
    existsSync(`${path}index.html`),
  )
}

/** `/deck/`: the Observation Deck's page. Its files need no key; what they show does. */
export async function deckRoutes(app: FastifyInstance): Promise<void> {
  const root = deckDirectory()
  await app.register(fastifyStatic, {
    serve: false,
    ...(root === undefined ? {} : { root }),
    // Only of what was found: an error is kept by nobody.
    setHeaders: (reply, path) => void reply.headers(headersOf(relative(root ?? '', path))),
    cacheControl: false,
    preCompressed: true,
  })
  app.get('/deck', route('public', { tag, summary: 'To the page.' }), async (_request, reply) =>
    reply.redirect('./deck/', 308),
  )
  app.get('/deck/*', route('public', { tag, summary: 'The Observation Deck.' }), async (request, reply) => {
    const path = (request.params as { '*': string })['*']
    if (root === undefined) {
      throw new HttpError(404, 'deck_missing', 'The Deck has not been built.', { hint: 'Run: npm run build' })
    }
    return reply.sendFile(path === '' ? 'index.html' : path)
  })
}

/** The name of an asset changes with what is in it; that of the page does not. */
function headersOf(path: string): Readonly<Record<string, string>> {
  const hashed = path.startsWith(`assets${sep}`)
  return {
    'content-security-policy': DECK_POLICY,
    'cache-control': hashed ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
    'cross-origin-opener-policy': 'same-origin',
  }
}
