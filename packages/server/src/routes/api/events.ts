import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Event, PurserError } from 'purser'
import { subscribeToActivity } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { logFault } from '../../app/log-fault.ts'
import { SECURITY_HEADERS } from '../../app/security-headers.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getQuery } from '../../http/params.ts'
import { TEXT, textSchema } from '../../http/schemas.ts'
import { Listeners } from './listeners.ts'

const CONTENT_TYPE = 'text/event-stream; charset=utf-8'
const PING_MS = 15_000
const COALESCE_MS = 250
const CHECKS_PER_TIMEOUT = 4
/** Users named in one `activity` event; beyond that, and when it is not known which, it carries `more: true`. */
const MAX_USERS = 1_000

/** `GET /api/events`: the event log as it grows, and user activity, as server-sent events. */
export function registerEventRoutes(app: FastifyInstance, context: AppContext): void {
  const listeners = new Listeners(context.effects)
  app.get(
    '/api/events',
    defineRoute('read', {
      tag: 'events',
      summary: 'Streams live events: `ledger`, `activity`, `gap`. Resumes after Last-Event-ID.',
      query: { user: TEXT, types: { ...TEXT, description: 'Separated by commas.' } },
      response: textSchema('text/event-stream', 'The events, until the client disconnects.'),
    }),
    async (request, reply) => {
      const filter = parseFilter(request)
      const abort = new AbortController()
      // Invalid filters are rejected here, before the response starts.
      const events = context.purser.events({ ...filter, signal: abort.signal })
      if (request.method === 'HEAD') {
        await events[Symbol.asyncIterator]().return?.()
        return reply.type(CONTENT_TYPE).send()
      }
      const release = listeners.acquire(getIdentity(request).id, () => reply.raw.destroy())
      if (release === undefined) throw tooManyStreams()
      reply.hijack()
      const res = reply.raw
      try {
        res.writeHead(200, {
          ...SECURITY_HEADERS,
          'content-type': CONTENT_TYPE,
          'x-accel-buffering': 'no',
          'x-request-id': request.id,
        })
        await streamEvents(context, res, { filter, events, abort })
      } catch (error) {
        // The client resumes after the last event it got.
        logFault(request, error)
      } finally {
        release()
        res.end()
      }
    },
  )
}

function tooManyStreams(): HttpError {
  return new HttpError(503, 'too_many_streams', 'Too many event streams are open.', {
    hint: 'Close streams that are no longer read, or try again in a moment.',
    headers: { 'retry-after': '5' },
  })
}

interface EventFilter {
  readonly after: string | undefined
  readonly user: string | undefined
  readonly types: readonly string[] | undefined
}

function parseFilter(request: FastifyRequest): EventFilter {
  const { user, types } = getQuery(request)
  const lastEventId = request.headers['last-event-id']
  return {
    after: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
    user,
    types: types?.split(','),
  }
}

interface Subscription {
  readonly filter: EventFilter
  readonly events: AsyncIterable<Event>
  /** Ends `events`. */
  readonly abort: AbortController
}

/**
 * Writes events no faster than the client reads them: the log is read on demand and not queued. Activity that occurs
 * while the client is slow is joined into the next `activity` event.
 */
async function streamEvents(context: AppContext, res: ServerResponse, subscription: Subscription): Promise<void> {
  const { filter, abort } = subscription
  const end = (): void => abort.abort()
  res.on('close', end)
  context.shutdown.signal.addEventListener('abort', end)
  const stopActivity = filter.user === undefined ? writeActivity(context, res) : () => {}
  const stopPings = runEvery(context, PING_MS, () => {
    if (!res.writableNeedDrain) res.write(': ping\n\n')
  })
  const stopTimeout = closeUnreadStream(context, res)
  try {
    res.write('retry: 2000\n\n')
    await writeLog(context, res, subscription)
  } catch (error) {
    if (!abort.signal.aborted) throw error
  } finally {
    stopActivity()
    stopPings()
    stopTimeout()
    res.off('close', end)
    context.shutdown.signal.removeEventListener('abort', end)
  }
}

/** Writes a `gap` event and continues from now when the log no longer holds the event of Last-Event-ID. */
async function writeLog(
  context: AppContext,
  res: ServerResponse,
  { filter, events, abort }: Subscription,
): Promise<void> {
  const { after, ...rest } = filter
  const { signal } = abort
  try {
    await writeEvents(res, events, signal)
  } catch (error) {
    if (after === undefined || !PurserError.is(error, 'event_gone')) throw error
    res.write('event: gap\ndata: {}\n\n')
    await writeEvents(res, context.purser.events({ ...rest, signal }), signal)
  }
}

async function writeEvents(res: ServerResponse, events: AsyncIterable<Event>, signal: AbortSignal): Promise<void> {
  for await (const event of events) {
    if (!res.write(`event: ledger\nid: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`)) await waitForDrain(res)
    if (signal.aborted) return
  }
}

/** Writes at most one `activity` event per 250 ms, with the users that were active. Returns the function that stops it. */
function writeActivity(context: AppContext, res: ServerResponse): () => void {
  const users = new Set<string>()
  let more = false
  let cancelTimer: (() => void) | undefined
  const write = (): void => {
    cancelTimer = undefined
    if (res.writableNeedDrain) {
      cancelTimer = context.effects.setTimer(write, COALESCE_MS, { background: true })
      return
    }
    res.write(`event: activity\ndata: ${JSON.stringify({ users: [...users], ...(more ? { more } : {}) })}\n\n`)
    users.clear()
    more = false
  }
  const stop = subscribeToActivity(context.purser, (user) => {
    if (user !== undefined && users.size < MAX_USERS) users.add(user)
    else more = true
    cancelTimer ??= context.effects.setTimer(write, COALESCE_MS, { background: true })
  })
  return () => {
    stop()
    cancelTimer?.()
  }
}

function runEvery(context: AppContext, intervalMs: number, run: () => void): () => void {
  let cancelTimer = context.effects.setTimer(tick, intervalMs, { background: true })
  function tick(): void {
    run()
    cancelTimer = context.effects.setTimer(tick, intervalMs, { background: true })
  }
  return () => cancelTimer()
}

/** Resolves when the client has taken what was written, or is gone. */
function waitForDrain(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done).off('close', done)
      resolve()
    }
    res.on('drain', done).on('close', done)
  })
}

/** Closes the stream of a client that takes nothing for `server.readerTimeoutMs`. Returns the function that ends it. */
function closeUnreadStream(context: AppContext, res: ServerResponse): () => void {
  let unreadChecks = 0
  const onDrain = (): void => {
    unreadChecks = 0
  }
  res.on('drain', onDrain)
  const stop = runEvery(context, context.options.readerTimeoutMs / CHECKS_PER_TIMEOUT, () => {
    unreadChecks = res.writableNeedDrain ? unreadChecks + 1 : 0
    if (unreadChecks >= CHECKS_PER_TIMEOUT) res.destroy()
  })
  return () => {
    stop()
    res.off('drain', onDrain)
  }
}
