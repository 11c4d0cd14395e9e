import { createJitter } from '../../../src/core/jitter.ts'

/*
 * What the turns of one unit do: one turn, or several with the same request. It follows from a seed and a number, so the
 * process that runs them and the upstream that answers agree without a word. The upstream finds it in the request.
 */

export const KINDS = [
  'answer',
  'stream',
  'tools',
  'leave',
  'cut',
  'abort',
  'rejected',
  'down',
  'fallback',
  'hit',
  'join',
  'joinLeave',
  'repeat',
  'unknown',
] as const

export interface TurnScript {
  readonly number: number
  readonly user: string
  readonly kind: (typeof KINDS)[number]
  readonly model: 'm' | 'n'
  /** Of every turn of the unit. */
  readonly weight: number
  readonly turns: number
  /** What the upstream writes and reports. */
  readonly deltas: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  /** Whether a stream reports its input before its text. */
  readonly reportsEarly: boolean
  /** After how many turns of the event loop the caller aborts, 0 to 4. */
  readonly abortAfter: number
}

/** What the process that runs the turns gets. */
export interface TurningOptions {
  readonly path: string
  readonly origin: string
  readonly seed: number
  /** The number of the first unit, and of the unit behind the last one. */
  readonly first: number
  readonly units: number
  /** Wall clock at the beginning, epoch ms. */
  readonly wall: number
}

/** What it prints after each batch. */
export interface TurnedBatch {
  /** The number of the unit behind the last one. */
  readonly next: number
  readonly wall: number
  /** Request id and outcome of each turn. */
  readonly ended: readonly (readonly [requestId: string, outcome: string])[]
}

export const BATCH_UNITS = 48
export const USERS = 48
export const PLANS = ['free', 'few', 'tokens', 'down', 'watched', 'blocked'] as const

export function userOf(index: number): string {
  return `user-${index}`
}

export function planOfUser(user: string): (typeof PLANS)[number] {
  return PLANS[Number(user.slice('user-'.length)) % PLANS.length] as (typeof PLANS)[number]
}

const TURNS: Readonly<Partial<Record<TurnScript['kind'], number>>> = { hit: 2, join: 3, joinLeave: 2, repeat: 2 }

export function scriptOf(seed: number, number: number): TurnScript {
  const random = createJitter(`${seed} ${number}`)
  const pick = (limit: number): number => Math.floor(random() * limit)
  const kind = KINDS[pick(KINDS.length)] as TurnScript['kind']
  const inputTokens = pick(400)
  return {
    number,
    user: userOf(pick(USERS)),
    kind,
    model: pick(4) === 0 ? 'n' : 'm',
    weight: [1, 1, 1, 0, 3][pick(5)] as number,
    turns: TURNS[kind] ?? 1,
    deltas: 1 + pick(6),
    inputTokens,
    outputTokens: pick(200),
    cachedTokens: pick(inputTokens + 1),
    reportsEarly: pick(2) === 0,
    abortAfter: pick(5),
  }
}

/** Whether the answer is a stream. */
export function isStreamed({ kind, number }: TurnScript): boolean {
  return kind === 'stream' || kind === 'leave' || kind === 'cut' || kind.startsWith('join') || number % 3 === 0
}

/** The content of the message of a unit. */
export function contentOf(script: TurnScript): string {
  return JSON.stringify(script)
}
