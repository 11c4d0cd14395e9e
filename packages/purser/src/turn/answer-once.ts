import type { UserAnswers } from '../answers/user-answers.ts'
import type { Refused } from '../ledger/decide/admission.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import type { CacheOutcome } from './answered-turn.ts'

/*
 * A turn under an idempotency key is answered once. Its answer is kept for repeats of the same request under the same
 * key, also where answers are not kept otherwise. A repeat gets that, or joins the first while it is under way. When
 * there is neither, because the answer was not whole or is gone, the model has to be asked again: that is a turn of
 * its own, and is counted or refused like one.
 */

export interface Answered {
  readonly source: CacheOutcome
  readonly answer: ChatAnswer
  /** An answer that was given before, or is being given. */
  readonly replayed: boolean
}

export interface IdempotentRequest {
  readonly answers: UserAnswers
  readonly request: ChatRequest
  readonly key: string
  readonly isRepeat: boolean
  readonly incarnation: number
  readonly signal: AbortSignal
  /** What the turn holds for the upstream call may go. */
  readonly ended: () => void
  /** Pays for a repeat that has to ask the model. */
  pay(): Promise<void>
}

export async function idempotentAnswer(
  { answers, request, key, isRepeat, incarnation, signal, ended, pay }: IdempotentRequest,
  ask: (signal: AbortSignal) => Promise<Omit<Answered, 'replayed'>>,
): Promise<Answered> {
  let asked: CacheOutcome = 'off'
  const { source, answer } = await answers.open(
    {
      request,
      target: { idempotencyKey: key },
      context: null,
      mode: isRepeat ? 'on' : 'refresh',
      incarnation,
      signal,
      ended,
    },
    async (asking) => {
      if (isRepeat) await pay()
      const own = await ask(asking)
      asked = own.source
      return own.answer
    },
  )
  return { source: source === 'miss' ? asked : source, answer, replayed: source !== 'miss' }
}

/** A repeat had to be paid for, and the user may not act now. */
export class AdmissionRefused extends Error {
  readonly admission: Refused

  constructor(admission: Refused) {
    super('The turn was not admitted again.')
    this.admission = admission
  }
}
