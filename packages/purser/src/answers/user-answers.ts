import { withAbort } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { parseDuration, parseOneOf, validateFunction, validateOptions } from '../core/validate.ts'
import type {
  CachedResult,
  Compute,
  InternalUserAnswers,
  LookupOptions,
  RememberOptions,
  RememberResult,
  StoredAnswers,
} from './api.ts'
import type { AnswerCache, CachedAnswer } from './cache.ts'
import type { CacheKey, KeyResolver } from './cache-key.ts'
import type { RememberCache } from './remember.ts'
import type { ScopeName } from './scopes.ts'
import type { StatsCounter } from './stats.ts'
import type { TurnAnswers } from './turn-answers.ts'

/** Answers that `stored` counts. */
const MAX_COUNTED = 10_000

export interface UserAnswersDeps {
  readonly keys: KeyResolver
  readonly cache: AnswerCache
  readonly values: RememberCache
  readonly turns: TurnAnswers
  readonly stats: StatsCounter
  /** Throws `closed` after `close()`; otherwise makes sure that the sweeper runs. */
  begin(): void
  forget(user: Subject): Promise<number>
}

export function createUserAnswers(deps: UserAnswersDeps, user: Subject): InternalUserAnswers {
  const { keys, cache, stats } = deps

  function resolveKey(value: unknown, scope: ScopeName = 'user'): CacheKey | Promise<CacheKey> {
    return keys.resolve(user, { kind: 'value', scope, value })
  }

  async function remember<T>(
    request: unknown,
    compute: Compute<T>,
    options: RememberOptions<T> = {},
  ): Promise<RememberResult<T>> {
    deps.begin()
    validateRemember(compute, options)
    const key = await resolveKey(request, options.scope)
    if (options.signal?.aborted) {
      stats.count('miss')
      throw options.signal.reason
    }
    return deps.values.remember(key, compute, options)
  }

  return {
    async lookup<T>(request: unknown, options: LookupOptions = {}) {
      deps.begin()
      validateOptions('lookup', options, ['scope'])
      validateScope(options.scope)
      const key = await resolveKey(request, options.scope)
      const cached = cache.getLocal(key) ?? (await cache.get(key))
      stats.count(cached === undefined ? 'miss' : 'hit')
      options.signal?.throwIfAborted()
      return cached === undefined ? undefined : toResult<T>(cached)
    },

    remember,
    getOrSet: remember,

    forget: (options) => withAbort('forget', options, () => deps.forget(user)),

    stored: (options) =>
      withAbort('stored', options, () => {
        deps.begin()
        return countStored(cache.entries(keys.scopeOf(user)))
      }),

    peek(request) {
      deps.begin()
      return deps.turns.peek(user, request)
    },

    serve: (cached, signal) => deps.turns.serve(cached, signal),

    async getOrCall(request) {
      deps.begin()
      return deps.turns.getOrCall(user, request)
    },

    async *exportRows() {
      deps.begin()
      for await (const cached of cache.entries(keys.scopeOf(user))) {
        const { answer, storedAt, expiresAt } = toResult(cached)
        yield { part: 'answers', type: 'answer', at: storedAt, value: { answer, expiresAt } }
      }
    },

    async importEntry(request, answer, entry) {
      deps.begin()
      const key = await resolveKey(request)
      const value = JSON.stringify(answer)
      return value !== undefined && cache.setDurably(key, value, entry)
    },
  }
}

async function countStored(entries: AsyncIterable<CachedAnswer>): Promise<StoredAnswers> {
  let [answers, bytes, oldest, newest] = [0, 0, Number.POSITIVE_INFINITY, 0]
  for await (const { value, storedAt } of entries) {
    answers += 1
    bytes += Buffer.byteLength(value)
    oldest = Math.min(oldest, storedAt)
    newest = Math.max(newest, storedAt)
    if (answers === MAX_COUNTED) break
  }
  const format = (at: number): string | null => (answers === 0 ? null : new Date(at).toISOString())
  return { answers, bytes, oldestAt: format(oldest), newestAt: format(newest) }
}

function toResult<T>({ value, storedAt, expiresAt }: CachedAnswer): CachedResult<T> {
  return {
    answer: JSON.parse(value) as T,
    storedAt: new Date(storedAt).toISOString(),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  }
}

function validateRemember<T>(compute: unknown, options: RememberOptions<T>): void {
  validateFunction(compute, {
    name: 'compute',
    hint: 'Example: remember(request, ({ signal }) => ask(request, { signal })).',
  })
  validateOptions('remember', options, ['ttlMs', 'keep', 'scope'])
  validateScope(options.scope)
  const { ttlMs, keep } = options
  if (ttlMs !== undefined && ttlMs !== null)
    parseDuration(ttlMs, { name: 'ttlMs', hint: 'null: the answer never expires.' })
  if (keep !== undefined)
    validateFunction(keep, { name: 'keep', hint: 'It gets the answer and returns whether to cache it.' })
}

function validateScope(scope: unknown): void {
  if (scope !== undefined) parseOneOf(scope, ['user', 'namespace'], { name: 'scope', hint: "Default: 'user'." })
}
