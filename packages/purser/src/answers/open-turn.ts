import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import { privateBecause, type ScopeName, type TurnParts, turnValue } from './cache-key.ts'
import { type AnswersContext, keepBrought, leaveIfAborted } from './deps.ts'
import type { CacheKey } from './key-resolver.ts'
import { type KeptAnswer, replay } from './turn-answer.ts'
import { answerFor, flyTurn, type TurnFlight } from './turns.ts'

export interface TurnOrder extends TurnParts {
  /** `'refresh'` calls the model in any case and replaces what is kept. */
  readonly mode: 'on' | 'refresh'
  /** Default `'user'`. A wider scope is refused when the user's context, tools or files were in the request. */
  readonly scope?: ScopeName | undefined
  /** The life in which the turn was admitted: if it is over, nothing is found, shared or kept. Default: the present. */
  readonly incarnation?: number | undefined
  readonly signal?: AbortSignal | undefined
  /**
   * Called once, when this turn's part in the upstream call is over and what it holds for that may be let go: at once
   * when its `start` is never called, else when the call has ended, which may be after this turn itself has left.
   */
  readonly ended?: (() => void) | undefined
}

export interface TurnAnswer {
  readonly source: 'hit' | 'joined' | 'miss'
  /** In the kind it was made in. Whoever stops reading early says so, with `return()` or the signal. */
  readonly answer: ChatAnswer
  /** True for the one turn that pays for the upstream call. */
  readonly leader: boolean
}

export type StartTurn = (signal: AbortSignal) => Promise<ChatAnswer>

/** One turn's way to its answer: from memory, from a flight it joins, or from a flight it leads. */
export async function openTurn(
  hall: AnswersContext,
  user: Subject,
  order: TurnOrder,
  start: StartTurn,
): Promise<TurnAnswer> {
  const { signal, mode, scope = 'user', incarnation, ended = () => {} } = order
  let isLeading = false
  try {
    hall.enter()
    signal?.throwIfAborted()
    if (scope !== 'user') refusePrivate(order)
    const place = await hall.locator.locate(user, { kind: 'turn', scope, value: turnValue(order), incarnation })
    leaveIfAborted(hall, signal)
    const kept = mode === 'on' ? hall.shelf.recall(place) : undefined
    if (kept !== undefined) return hit(hall, JSON.parse(kept.value) as KeptAnswer, signal)
    const work = { refresh: mode === 'refresh', choices: choicesOf(order), start }
    const begin = (flight: TurnFlight): void => {
      isLeading = true
      void flyTurn(turnHouse(hall), flight, work).then(ended)
    }
    return await board(hall, place, { signal, alone: mode === 'refresh' }, begin)
  } finally {
    if (!isLeading) ended()
  }
}

async function board(
  hall: AnswersContext,
  place: CacheKey,
  passenger: { readonly signal: AbortSignal | undefined; readonly alone: boolean },
  begin: (flight: TurnFlight) => void,
): Promise<TurnAnswer> {
  const { member, leads } = hall.turns.board(place, passenger, begin)
  let source: TurnAnswer['source'] = leads ? 'miss' : 'joined'
  try {
    const brought = await member.result
    if (brought.from === 'shelf') source = 'hit'
    return { source, answer: answerFor(brought, member, passenger.signal), leader: source === 'miss' }
  } catch (error) {
    member.leave()
    throw error
  } finally {
    hall.tally.count(source)
  }
}

function hit(hall: AnswersContext, kept: KeptAnswer, signal: AbortSignal | undefined): TurnAnswer {
  hall.tally.count('hit')
  hall.tally.saved(kept.tokens)
  return { source: 'hit', answer: replay(kept, signal), leader: false }
}

function turnHouse(hall: AnswersContext): Parameters<typeof flyTurn>[0] {
  return {
    limits: hall.limits,
    fetch: hall.shelf.fetch,
    keep: (flight, value) => keepBrought(hall, { flights: hall.turns, flight }, { value, terms: {} }),
    saved: hall.tally.saved,
    detach: hall.turns.detach,
  }
}

function choicesOf({ request }: TurnOrder): number {
  return typeof request.n === 'number' ? request.n : 1
}

function refusePrivate(order: TurnOrder): void {
  const reason = privateBecause(order)
  if (reason === undefined) return
  throw new PurserError('argument_invalid', `This answer cannot be shared with the namespace: ${reason}.`, {
    hint: 'Leave the scope out: then the answer is kept for this user alone.',
  })
}
