import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Event, onDiagnostic, PurserError } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { queryOf, route, TEXT, textOf } from '../../http/route.ts'

const CONTENT_TYPE = 'text/event-stream; charset=utf-8'
const PING_MS = 15_000
const COALESCE_MS = 250
const MAX_CLIENTS = 100
/** Users named in one `activity`; beyond that it says that there are more. */
const MAX_USERS = 1_000

/** `GET /api/events`: the log as it grows, and who is active, as server-sent events. */
export function eventRoutes(app: FastifyInstance, house: AppContext): void {
  let clients = 0
  app.get(
    '/api/events',
    route('read', {
      tag: 'events',
      summary: 'Live events: `ledger`, `activity`, `gap`. Resumes behind Last-Event-ID.',
      query: { user: TEXT, types: { ...TEXT, description: 'Separated by commas.' } },
      answer: textOf('text/event-stream', 'The events, until the client leaves.'),
    }),
    async (request, reply) => {
      if (request.method !== 'HEAD' && clients >= MAX_CLIENTS) {
        throw new HttpError(503, 'too_many_streams', `There are ${MAX_CLIENTS} event streams already.`, {
          headers: { 'retry-after': '5' },
        })
      }
      const wanted = wantedBy(request)
      const ended = new AbortController()
      // What it refuses of the request is refused here, before there is an answer.
      const events = house.purser.events({ ...wanted, signal: ended.signal })
      if (request.method === 'HEAD') {
        await events[Symbol.asyncIterator]().return?.()
        return reply.type(CONTENT_TYPE).send()
      }
      clients += 1
      reply.hijack()
      const line = reply.raw
      line.writeHead(200, {
        'content-type': CONTENT_TYPE,
        'cache-control': 'private, no-store',
        'x-accel-buffering': 'no',
        'x-request-id': request.id,
      })
      try {
        await stream(house, line, { wanted, events, ended })
      } finally {
        clients -= 1
        line.end()
      }
    },
  )
}

interface Wanted {
  readonly after: string | undefined
  readonly user: string | undefined
  readonly types: readonly string[] | undefined
}

function wantedBy(request: FastifyRequest): Wanted {
  const { user, types } = queryOf(request)
  const lastEventId = request.headers['last-event-id']
  return {
    after: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
    user,
    types: types?.split(','),
  }
}

interface Opened {
  readonly wanted: Wanted
  readonly events: AsyncIterable<Event>
  /** Ends the events. */
  readonly ended: AbortController
}

/**
 * A client is given events as fast as it takes them and no faster: the log is read on, not queued. What it misses of
 * `activity` while it is slow is joined into the next one.
 */
async function stream(house: AppContext, line: ServerResponse, opened: Opened): Promise<void> {
  const { wanted, ended } = opened
  const end = (): void => ended.abort()
  line.on('close', end)
  house.shutdown.signal.addEventListener('abort', end)
  const stopActivity = wanted.user === undefined ? tellActivity(house, line) : () => {}
  const stopPings = repeat(house, PING_MS, () => {
    if (!line.writableNeedDrain) line.write(': ping\n\n')
  })
  try {
    line.write('retry: 2000\n\n')
    await tellEvents(house, line, opened)
  } catch (error) {
    if (!ended.signal.aborted) throw error
  } finally {
    stopActivity()
    stopPings()
    line.off('close', end)
    house.shutdown.signal.removeEventListener('abort', end)
  }
}

async function tellEvents(house: AppContext, line: ServerResponse, { wanted, events, ended }: Opened): Promise<void> {
  const { after, ...filter } = wanted
  const { signal } = ended
  try {
    await follow(line, events, signal)
  } catch (error) {
    if (after === undefined || !PurserError.is(error, 'event_gone')) throw error
    line.write('event: gap\ndata: {}\n\n')
    await follow(line, house.purser.events({ ...filter, signal }), signal)
  }
}

async function follow(line: ServerResponse, events: AsyncIterable<Event>, signal: AbortSignal): Promise<void> {
  for await (const event of events) {
    if (!line.write(`event: ledger\nid: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`)) await drained(line)
    if (signal.aborted) return
  }
}

/** Joins who was active into one message per quarter of a second. */
function tellActivity(house: AppContext, line: ServerResponse): () => void {
  const users = new Set<string>()
  let more = false
  let cancel: (() => void) | undefined
  const tell = (): void => {
    cancel = undefined
    if (line.writableNeedDrain) {
      cancel = house.effects.setTimer(tell, COALESCE_MS, { background: true })
      return
    }
    line.write(`event: activity\ndata: ${JSON.stringify({ users: [...users], ...(more ? { more } : {}) })}\n\n`)
    users.clear()
    more = false
  }
  const stop = onDiagnostic('activity', ({ namespace, user }) => {
    if (namespace !== house.purser.namespace) return
    if (users.size < MAX_USERS) users.add(user)
    else more = true
    cancel ??= house.effects.setTimer(tell, COALESCE_MS, { background: true })
  })
  return () => {
    stop()
    cancel?.()
  }
}

function repeat(house: AppContext, everyMs: number, run: () => void): () => void {
  let cancel = house.effects.setTimer(again, everyMs, { background: true })
  function again(): void {
    run()
    cancel = house.effects.setTimer(again, everyMs, { background: true })
  }
  return () => cancel()
}

function drained(line: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      line.off('drain', done).off('close', done)
      resolve()
    }
    line.on('drain', done).on('close', done)
  })
}
