import { type AbortOptions, untilAborted, withSignal } from '../../core/abort.ts'
import { readPage } from '../../core/long-read.ts'
import { createSubject, type Subject } from '../../core/subject.ts'
import { firstIdAt, isTimeOrderedId } from '../../core/time-ordered-id.ts'
import {
  parseOneOf,
  parseOptionalInstant,
  parsePageLimit,
  throwInvalid,
  validateOptions,
  validatePeriod,
} from '../../core/validate.ts'
import type { ListedTurn, StoredTurn } from '../../storage/turn-store.ts'
import type { LedgerDeps } from '../deps.ts'
import { decodeTurn } from './stored-turn.ts'
import { TURN_OUTCOMES, type TurnOutcome, type TurnRecord } from './turn-record.ts'

export interface UserTurnsOptions extends AbortOptions {
  /** 0 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** The id of a turn: only turns that began before it. */
  readonly before?: string | undefined
  readonly outcome?: TurnOutcome | undefined
  /** Only turns that began at this instant (ISO 8601) or later. */
  readonly from?: string | undefined
  /** Only turns that began before this instant (ISO 8601). */
  readonly to?: string | undefined
}

export interface TurnsOptions extends AbortOptions {
  /** The id of a turn: only turns after it, in the order that is asked for. It need not be stored any more. */
  readonly after?: string | undefined
  readonly user?: string | undefined
  readonly outcome?: TurnOutcome | undefined
  /** By the instant at which turns began. Default `'ascending'`, oldest first. */
  readonly order?: 'ascending' | 'descending' | undefined
}

type TurnDeps = Pick<LedgerDeps, 'store' | 'calls' | 'rules' | 'journal' | 'effects'>

const PAGE_ROWS = 500

/** The newest turns of a user. Those that this process has not written yet are written first. */
export async function readUserTurns(
  deps: TurnDeps,
  user: Subject,
  options: UserTurnsOptions = {},
): Promise<TurnRecord[]> {
  validateOptions('turns', options, ['limit', 'before', 'outcome', 'from', 'to'])
  const { signal } = options
  const limit = parsePageLimit(options.limit)
  const outcome = parseOutcome(options.outcome)
  const [from, to] = [parseOptionalInstant(options.from, 'from'), parseOptionalInstant(options.to, 'to')]
  validatePeriod(from, to)
  // Ids rise with time, so the end of a period is another id before which turns began.
  const after = lesser(parseId(options.before, 'before'), firstIdOf(to))
  if (limit === 0) return []
  const read = deps.calls.run(async () => {
    await deps.journal.flush(user)
    const first = greater(oldestId(deps), firstIdOf(from))
    return deps.store.turns.ofUser(user, { limit, order: 'descending', after, from: first, outcome })
  })
  return (await withSignal(read, signal)).map((turn) => decodeTurn(user.id, turn))
}

/** The turns of a namespace, or of one user, page by page. It ends behind the last turn that is stored. */
export function readTurns(deps: TurnDeps, namespace: string, options: TurnsOptions = {}): AsyncIterable<TurnRecord> {
  validateOptions('turns', options, ['after', 'user', 'outcome', 'order'])
  const { user: id, order = 'ascending', signal } = options
  const page = {
    limit: PAGE_ROWS,
    order: parseOneOf(order, ['ascending', 'descending'], { name: 'order', hint: "Default: 'ascending'." }),
    from: oldestId(deps),
    outcome: parseOutcome(options.outcome),
  }
  const user = id === undefined ? undefined : createSubject(namespace, id)
  const first = parseId(options.after, 'after')

  async function* read(): AsyncGenerator<TurnRecord, void, undefined> {
    await deps.calls.run(() => (user === undefined ? deps.journal.flushAll() : deps.journal.flush(user)))
    for (let after = first; ; ) {
      const from = { ...page, after }
      const found = await deps.calls.run(() =>
        readPage<readonly (StoredTurn | ListedTurn)[]>(() =>
          user === undefined ? deps.store.turns.ofNamespace(namespace, from) : deps.store.turns.ofUser(user, from),
        ),
      )
      for (const turn of found) yield decodeTurn('user' in turn ? turn.user : (id as string), turn)
      if (found.length < PAGE_ROWS) return
      after = found.at(-1)?.id
    }
  }
  return { [Symbol.asyncIterator]: () => untilAborted(read(), signal)[Symbol.asyncIterator]() }
}

/** Records that are too old are not shown, also before they are removed. */
export function oldestId({ rules, effects }: Pick<TurnDeps, 'rules' | 'effects'>): string | undefined {
  const { maxAgeMs } = rules.keepTurns
  return maxAgeMs === null ? undefined : firstIdAt(effects.now() - maxAgeMs)
}

/** An instant as an id that no earlier turn has. */
function firstIdOf(epochMs: number | undefined): string | undefined {
  return epochMs === undefined ? undefined : firstIdAt(epochMs)
}

function lesser(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || (other !== undefined && other < one) ? other : one
}

function greater(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one
}

function parseId(id: unknown, name: string): string | undefined {
  if (id === undefined) return undefined
  if (typeof id !== 'string' || !isTimeOrderedId(id)) {
    throwInvalid(`'${name}' must be the id of a turn.`, {
      name,
      hint: 'Pass the id of the last turn of the page before.',
    })
  }
  return id
}

function parseOutcome(outcome: unknown): TurnOutcome | undefined {
  return outcome === undefined ? undefined : parseOneOf(outcome, TURN_OUTCOMES, { name: 'outcome' })
}
