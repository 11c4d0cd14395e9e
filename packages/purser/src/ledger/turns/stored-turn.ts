import { PurserError } from '../../errors.ts'
import type { StoredTurn } from '../../storage/turn-store.ts'
import { formatInstant } from '../calendar.ts'
import type { Amount } from '../limits/amount.ts'
import { formatMoney } from '../limits/money.ts'
import type { TurnAttempt, TurnFacts, TurnOutcome, TurnRecord, TurnSection } from './turn-record.ts'

/*
 * The record of a turn as stored: a JSON list of values, half as long as an object with their names. Only this file knows
 * the positions. Texts that a caller chose are cut.
 */

/** What became of the admission of a turn; `none`: it had none, or that of an earlier turn under its idempotency key. */
export type TurnAdmissionUse = 'counted' | 'refunded' | 'none'

const ADMISSIONS = { counted: 0, refunded: 1, none: 2 } as const

/** What is stored of a turn. */
export interface EndedTurn {
  readonly facts: TurnFacts
  /** When it was counted, epoch ms. */
  readonly at: number
  readonly plan: string | null
  readonly downgradedBy: string | null
  readonly admission: TurnAdmissionUse
  readonly tokens: EndedTokens
  /** Nano-units; null: no price. */
  readonly cost: Amount | null
  /** How many turns of the user were recorded until this one. */
  readonly number: number
}

export interface EndedTokens {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  readonly toolCalls: number
}

/** What a replay needs of a record, beside what is shown of it. */
export interface ReplayedTurn {
  readonly at: number
  /** When it ended, epoch ms. */
  readonly endedAt: number
  /** The weight that was asked for. */
  readonly weight: number
  readonly admission: TurnAdmissionUse
  readonly isRefused: boolean
  /** The `provider/model` that was called. */
  readonly model: string | null
  readonly estimate: TurnRecord['estimate']
  readonly tokens: EndedTokens
  readonly cost: Amount | null
  readonly number: number
}

type Values = readonly [
  v: 1,
  at: number,
  endpoint: string,
  session: string | null,
  plan: string | null,
  provider: string | null,
  model: string | null,
  requestedModel: string | null,
  downgradedBy: string | null,
  attempts: readonly (readonly [string, string, number | null, string | null, number])[],
  cache: TurnRecord['cache'],
  code: string | null,
  limit: string | null,
  weight: number,
  admission: 0 | 1 | 2,
  estimate: readonly [number, number],
  tokens: readonly [inputTokens: number, outputTokens: number, cachedTokens: number, toolCalls: number],
  cost: Amount | null,
  times: readonly [overheadMs: number, firstChunkMs: number | null, upstreamMs: number, totalMs: number],
  context: readonly (readonly [string, TurnSection['status'], number | null, number, number])[],
  tools: readonly (readonly [string, number])[],
  requestId: string | null,
  number: number,
  /** Absent in records of earlier versions. */
  prefix?: TurnRecord['prefix'],
]

const MAX_ATTEMPTS = 16
const MAX_SECTIONS = 64
const MAX_TOOLS = 32
const TEXT_MAX_CHARS = 256

export function encodeTurn(turn: EndedTurn): StoredTurn {
  const { facts, at, plan, downgradedBy, admission, tokens, cost, number } = turn
  const { estimate, overheadMs, firstChunkMs, upstreamMs, totalMs } = facts
  const values: Values = [
    1,
    at,
    cut(facts.endpoint),
    cutOrNull(facts.session),
    plan,
    facts.provider,
    cutOrNull(facts.model),
    cutOrNull(facts.requestedModel),
    downgradedBy,
    facts.attempts.slice(0, MAX_ATTEMPTS).map((a) => [a.provider, cut(a.model), a.status, a.code, round(a.ms)]),
    facts.cache,
    facts.code,
    facts.limit,
    facts.weight,
    ADMISSIONS[admission],
    [estimate.inputTokens, estimate.outputTokens],
    [tokens.inputTokens, tokens.outputTokens, tokens.cachedTokens, tokens.toolCalls],
    cost,
    [round(overheadMs), firstChunkMs === null ? null : round(firstChunkMs), round(upstreamMs), round(totalMs)],
    facts.context.slice(0, MAX_SECTIONS).map((s) => [s.section, s.status, s.ageMs, s.tokens, s.cut]),
    facts.tools.slice(0, MAX_TOOLS).map(({ name, calls }) => [cut(name), calls]),
    cutOrNull(facts.requestId),
    number,
    facts.prefix,
  ]
  return { id: facts.id, outcome: facts.outcome, value: JSON.stringify(values) }
}

export function decodeTurn(user: string, stored: StoredTurn): TurnRecord {
  const [, at, endpoint, session, plan, provider, model, requestedModel, downgradedBy, attempts, cache, code, ...rest] =
    parseValues(stored)
  const [limit, weight, admission, estimate, tokens, cost, times, context, tools, requestId, , prefix] = rest
  return {
    id: stored.id,
    user,
    at: formatInstant(at),
    endpoint,
    session,
    plan,
    provider,
    model,
    requestedModel,
    downgradedBy,
    attempts: attempts.map(([p, m, status, c, ms]): TurnAttempt => ({ provider: p, model: m, status, code: c, ms })),
    cache,
    outcome: stored.outcome as TurnOutcome,
    code,
    limit,
    weight: admission === ADMISSIONS.counted || stored.outcome === 'refused' ? weight : 0,
    estimate: { inputTokens: estimate[0], outputTokens: estimate[1] },
    inputTokens: tokens[0],
    outputTokens: tokens[1],
    cachedTokens: tokens[2],
    cost: cost === null ? null : formatMoney(cost),
    overheadMs: times[0],
    firstChunkMs: times[1],
    upstreamMs: times[2],
    totalMs: times[3],
    context: context.map(([section, status, ageMs, used, cutItems]) => ({
      section,
      status,
      ageMs,
      tokens: used,
      cut: cutItems,
    })),
    tools: tools.map(([name, calls]) => ({ name, calls })),
    requestId,
    prefix: prefix ?? null,
  }
}

export function decodeReplayed(stored: StoredTurn): ReplayedTurn {
  const [, at, , , , provider, model, , , , , , ...rest] = parseValues(stored)
  const [, weight, admission, estimate, tokens, cost, times, , , , number] = rest
  return {
    at,
    endedAt: at + times[3],
    weight,
    admission: admission === ADMISSIONS.counted ? 'counted' : admission === ADMISSIONS.refunded ? 'refunded' : 'none',
    isRefused: stored.outcome === 'refused',
    model: provider === null || model === null ? null : `${provider}/${model}`,
    estimate: { inputTokens: estimate[0], outputTokens: estimate[1] },
    tokens: { inputTokens: tokens[0], outputTokens: tokens[1], cachedTokens: tokens[2], toolCalls: tokens[3] },
    cost,
    number,
  }
}

function parseValues({ id, value }: StoredTurn): Values {
  const values = JSON.parse(value) as Values
  if (values[0] === 1) return values
  throw new PurserError('store_newer', `The record of the turn '${id}' has a newer format.`, {
    hint: 'Use a version of Purser that is at least as new as the one that wrote it.',
  })
}

/** To a hundredth. */
function round(ms: number): number {
  return Math.round(ms * 100) / 100
}

function cut(text: string): string {
  return text.length <= TEXT_MAX_CHARS ? text : text.slice(0, TEXT_MAX_CHARS).toWellFormed()
}

function cutOrNull(text: string | null): string | null {
  return text === null ? null : cut(text)
}
