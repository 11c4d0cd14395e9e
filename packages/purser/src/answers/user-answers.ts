import { type AbortOptions, withAbort } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { CachedAnswer, EntryOptions } from './cache.ts'
import type { ScopeName } from './cache-key.ts'
import { type AnswersContext, keepBrought, leaveIfAborted } from './deps.ts'
import type { CacheKey } from './key-resolver.ts'
import { openTurn, type StartTurn, type TurnAnswer, type TurnOrder } from './open-turn.ts'
import { type Compute, copyOf, flyValue, type RememberOptions } from './values.ts'

export interface LookupOptions {
  signal?: AbortSignal | undefined
  /** `'namespace'`: among the answers for every user of the application. Default `'user'`. */
  scope?: ScopeName | undefined
}

/** A kept answer. Every caller gets a copy of their own. */
export interface CachedResult<T> {
  readonly answer: T
  /** ISO 8601, UTC. */
  readonly storedAt: string
  /** ISO 8601, UTC: the last instant it is served at. null: it never expires. */
  readonly expiresAt: string | null
}

export interface RememberResult<T> {
  readonly answer: T
  readonly source: 'hit' | 'computed' | 'joined'
}

export interface AnswerExport {
  readonly part: 'answers'
  readonly type: 'answer'
  /** When it was stored, ISO 8601, UTC. */
  readonly at: string
  readonly value: { readonly answer: unknown; readonly expiresAt: string | null }
}

/** One user's answers. A store that fails is a store without answers: nothing here rejects because of it but `forget`. */
export interface UserAnswers {
  /** What was kept for exactly this request, or undefined. An empty answer is an answer. */
  lookup<T = unknown>(request: unknown, options?: LookupOptions): Promise<CachedResult<T> | undefined>
  /** The kept answer, or a new one: one computation for all equal callers at a time, aborted when all have left. */
  remember<T>(request: unknown, compute: Compute<T>, options?: RememberOptions<T>): Promise<RememberResult<T>>
  /** No later call, in any process, sees what was kept before. Resolves to the number of answers that are gone. */
  forget(options?: AbortOptions): Promise<number>
  /** As `remember`, for a turn: resolves when the answer begins, rejects when the model failed before that. */
  open(order: TurnOrder, start: StartTurn): Promise<TurnAnswer>
  /** Everything that is kept for this user, for their export. */
  exportRows(): AsyncIterable<AnswerExport>
  /** Takes over an answer from elsewhere, with its own dates. False when it could not be kept. */
  adopt(request: unknown, answer: unknown, terms: Partial<EntryOptions>): Promise<boolean>
}

export function createUserAnswers(hall: AnswersContext, user: Subject): UserAnswers {
  const locate = (value: unknown, scope: ScopeName = 'user'): Promise<CacheKey> => {
    if (scope !== 'user' && scope !== 'namespace') throw unknownScope()
    return hall.locator.locate(user, { kind: 'value', scope, value })
  }

  return {
    async lookup<T>(request: unknown, options: LookupOptions = {}) {
      hall.enter()
      validateOptions('lookup', options, ['scope'])
      const { signal, scope } = options
      const place = await locate(request, scope)
      const kept = hall.shelf.recall(place) ?? (await hall.shelf.fetch(place))
      hall.tally.count(kept === undefined ? 'miss' : 'hit')
      signal?.throwIfAborted()
      if (kept === undefined) return undefined
      return found<T>(kept)
    },

    async remember<T>(request: unknown, compute: Compute<T>, options: RememberOptions<T> = {}) {
      hall.enter()
      checkRemembering(compute, options)
      const place = await locate(request, options.scope)
      leaveIfAborted(hall, options.signal)
      const kept = hall.shelf.recall(place)
      if (kept === undefined) return hall.calls.run(() => compete(hall, place, compute, options))
      hall.tally.count('hit')
      return { answer: JSON.parse(kept.value) as T, source: 'hit' }
    },

    forget: (options) => withAbort('forget', options, () => hall.forget(user)),

    open: (order, start) => openTurn(hall, user, order, start),

    async *exportRows() {
      hall.enter()
      for await (const kept of hall.shelf.all(hall.locator.scopeOf(user))) {
        const { answer, storedAt, expiresAt } = found(kept)
        yield { part: 'answers', type: 'answer', at: storedAt, value: { answer, expiresAt } }
      }
    },

    async adopt(request, answer, terms) {
      hall.enter()
      const place = await locate(request)
      const value = JSON.stringify(answer)
      return value !== undefined && (await hall.shelf.keep(place, value, terms)) !== undefined
    },
  }
}

async function compete<T>(
  hall: AnswersContext,
  place: CacheKey,
  compute: Compute<T>,
  options: RememberOptions<T>,
): Promise<RememberResult<T>> {
  const { fetch } = hall.shelf
  const { detach } = hall.values
  const { member, leads } = hall.values.board(place, { signal: options.signal }, (flight) => {
    const keep = (_: typeof flight, value: string, terms: Partial<EntryOptions>): Promise<void> =>
      keepBrought(hall, { flights: hall.values, flight }, { value, terms })
    void flyValue({ fetch, detach, keep }, flight, compute, options)
  })
  hall.waiting.add(member)
  let source: RememberResult<T>['source'] = leads ? 'computed' : 'joined'
  try {
    const brought = await member.result
    if (brought.from === 'shelf') source = 'hit'
    return { answer: copyOf(brought) as T, source }
  } finally {
    hall.waiting.delete(member)
    member.leave()
    hall.tally.count(source === 'computed' ? 'miss' : source)
  }
}

function found<T>({ value, storedAt, expiresAt }: CachedAnswer): CachedResult<T> {
  return {
    answer: JSON.parse(value) as T,
    storedAt: new Date(storedAt).toISOString(),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  }
}

function checkRemembering<T>(compute: unknown, options: RememberOptions<T>): void {
  if (typeof compute !== 'function') {
    throw new PurserError('argument_invalid', 'remember needs a function that makes the answer.', {
      hint: 'For instance: remember(request, ({ signal }) => ask(request, { signal })).',
    })
  }
  validateOptions('remember', options, ['ttlMs', 'keep', 'scope'])
  checkTtl(options.ttlMs)
  if (options.keep === undefined || typeof options.keep === 'function') return
  throw new PurserError('argument_invalid', "'keep' must be a function from an answer to whether it is kept.", {
    hint: 'Leave it out to keep every answer.',
  })
}

function checkTtl(ttlMs: number | null | undefined): void {
  if (ttlMs === undefined || ttlMs === null || (typeof ttlMs === 'number' && ttlMs >= 0)) return
  throw new PurserError('argument_invalid', 'ttlMs must be a number of milliseconds of 0 or more, or null.', {
    hint: 'null keeps the answer for good; leave it out to keep it as long as the option answers.ttlMs says.',
  })
}

function unknownScope(): PurserError {
  return new PurserError('argument_invalid', "The scope of an answer is 'user' or 'namespace'.", {
    hint: "Leave it out to keep the answer for this user alone. Only { scope: 'namespace' } shares it.",
  })
}
