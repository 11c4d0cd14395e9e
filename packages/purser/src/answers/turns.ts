import type { ChatAnswer } from '../openai/chat-model.ts'
import type { CachedAnswer } from './cache.ts'
import { type Cacheability, checkCompletion, createCacheabilityCheck } from './cacheability.ts'
import type { Flight, Member } from './flight.ts'
import type { CacheKey } from './key-resolver.ts'
import type { AnswerLimits } from './limits.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import { type KeptAnswer, replay } from './turn-answer.ts'

/** What one upstream call brought to everybody who shares it. */
export type BroughtAnswer =
  | { readonly from: 'shelf'; readonly answer: KeptAnswer }
  | { readonly from: 'model'; readonly text: string }
  | { readonly from: 'model'; readonly log: ReplayBuffer }

export type TurnFlight = Flight<BroughtAnswer>

export interface TurnWork {
  /** True: the shelf is not asked, and what comes replaces what is there. */
  readonly refresh: boolean
  /** How many choices the request asks for. */
  readonly choices: number
  readonly start: (signal: AbortSignal) => Promise<ChatAnswer>
}

export interface TurnHouse {
  readonly limits: AnswerLimits
  fetch(place: CacheKey): Promise<CachedAnswer | undefined>
  /** Keeps what may still be kept: not after a forget, an erasure or a newer flight. */
  keep(flight: TurnFlight, value: string): Promise<void>
  /** So many tokens were not paid for again. */
  saved(tokens: number): void
  /** Nobody can join this flight any more. */
  detach(flight: TurnFlight): void
}

/**
 * The work of a flight that answers turns: look on the shelf, else call the model and hand on what it says.
 * Everything that goes wrong is told to the members; this never rejects.
 */
export async function flyTurn(house: TurnHouse, flight: TurnFlight, work: TurnWork): Promise<void> {
  try {
    const kept = work.refresh ? undefined : await house.fetch(flight.place)
    if (kept !== undefined) {
      const answer = JSON.parse(kept.value) as KeptAnswer
      house.saved(answer.tokens * flight.entered)
      flight.land()
      flight.bring({ from: 'shelf', answer })
    } else if (!flight.signal.aborted) {
      const answer = await work.start(flight.signal)
      if (answer.kind === 'completion') await bringCompletion(house, flight, work, answer.text)
      else await relay(house, flight, work, answer.chunks)
    }
  } catch (error) {
    flight.fail(error)
  } finally {
    flight.land()
    house.detach(flight)
  }
}

/** Kept before it is handed on: whoever has it and asks again gets a hit. */
async function bringCompletion(house: TurnHouse, flight: TurnFlight, work: TurnWork, text: string): Promise<void> {
  await conclude(house, flight, checkCompletion(text, work.choices), { kind: 'completion', texts: [text] })
  flight.land()
  flight.bring({ from: 'model', text })
}

async function relay(
  house: TurnHouse,
  flight: TurnFlight,
  work: TurnWork,
  chunks: AsyncIterable<string>,
): Promise<void> {
  const log = new ReplayBuffer(house.limits.maxAnswerBytes)
  const judge = createCacheabilityCheck(work.choices)
  const upstream = chunks[Symbol.asyncIterator]()
  const stop = (): void => {
    log.hurry()
    // Tells the upstream that nobody reads on; there is nobody to wait for its answer.
    upstream.return?.().catch(() => {})
  }
  if (flight.signal.aborted) return stop()
  flight.signal.addEventListener('abort', stop)
  flight.bring({ from: 'model', log })
  try {
    for (;;) {
      await log.wanted()
      if (flight.signal.aborted) break
      const next = await upstream.next()
      if (next.done) {
        await conclude(house, flight, judge.verdict(), log.whole && { kind: 'stream', texts: log.whole })
        break
      }
      judge.see(next.value)
      log.append(next.value)
      // Who would join now could not read the beginning.
      if (log.whole === undefined) house.detach(flight)
    }
    log.end()
  } catch (error) {
    log.end({ error })
  }
}

/** The answer is there in full: keeps it, if it may be kept, and counts what the others have not paid for. */
async function conclude(
  house: TurnHouse,
  flight: TurnFlight,
  { keep, tokens }: Cacheability,
  answer: Omit<KeptAnswer, 'tokens'> | undefined,
): Promise<void> {
  house.saved(tokens * (flight.entered - 1))
  if (keep && answer !== undefined) await house.keep(flight, JSON.stringify({ ...answer, tokens }))
}

/** What one member of a flight gets: its own reader, or the whole text. */
export function answerFor(
  brought: BroughtAnswer,
  member: Member<BroughtAnswer>,
  signal: AbortSignal | undefined,
): ChatAnswer {
  if ('log' in brought) return { kind: 'stream', chunks: brought.log.read(member) }
  member.leave()
  if (brought.from === 'shelf') return replay(brought.answer, signal)
  return { kind: 'completion', text: brought.text }
}
