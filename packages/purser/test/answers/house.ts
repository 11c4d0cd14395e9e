import { type Answers, type AnswersHouse, createAnswers } from '../../src/answers/answers.ts'
import type { AnswerStore } from '../../src/answers/port.ts'
import { createMemoryAnswers } from '../../src/drivers/memory/answers.ts'
import { type Subject, subject } from '../../src/identity.ts'
import { createKeys, type Keys } from '../../src/keys.ts'
import { type AnswerOptions, DEFAULTS } from '../../src/options.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'

export const keys: Keys = createKeys(Buffer.alloc(32, 7))
export const alice: Subject = subject('default', 'alice')
export const bob: Subject = subject('default', 'bob')

export interface TestHouse {
  readonly answers: Answers
  readonly clock: HandClock
  readonly store: AnswerStore
  /** The present life of each user; 1 when not set. */
  readonly lives: Map<string, number>
}

/** Answers on a memory store and a hand-driven clock, unless told otherwise. */
export function house(
  given: Partial<AnswersHouse> & { readonly clock?: HandClock; readonly answers?: Partial<AnswerOptions> } = {},
): TestHouse {
  const clock = given.clock ?? handClock()
  const store = given.store ?? createMemoryAnswers()
  const lives = new Map<string, number>()
  const answers = createAnswers({
    keys,
    effects: clock,
    namespace: 'default',
    incarnationOf: async ({ id }) => lives.get(id) ?? 1,
    ...given,
    store,
    options: { ...DEFAULTS.answers, ...given.answers },
  })
  return { answers, clock, store, lives }
}

/** Computes a value and counts how often. */
export function counted<T>(value: T): { compute: () => Promise<T>; readonly calls: number } {
  let calls = 0
  return {
    compute: async () => {
      calls++
      return value
    },
    get calls() {
      return calls
    },
  }
}
