import { setTimeout as sleep } from 'node:timers/promises'
import { LLMGuard } from 'llm-spend-guard'
import { openPurser } from 'purser'
import type { Figure } from '../ledger/figures.ts'

const CALLS = 100
const TOKENS_PER_CALL = 100
const CAP = 10
const CALL_MS = 20
const MODEL = 'gpt-4o'
const REQUEST = {
  model: MODEL,
  max_tokens: TOKENS_PER_CALL - 20,
  messages: [{ role: 'user', content: 'Count to ten.' }],
}

/** How many of 100 calls made at once reach the model, when the tokens of ten are allowed. */
export async function measureParallelCalls(): Promise<Figure[]> {
  const [guarded, admitted] = [await countGuarded(), await countAdmitted()]
  const title = (name: string): string => `${CALLS} parallel calls on tokens for ${CAP}: calls made by ${name}`
  return [
    { title: title('Purser'), value: String(admitted), goal: `<= ${CAP}`, met: admitted <= CAP },
    { title: title('llm-spend-guard'), value: String(guarded) },
  ]
}

async function countGuarded(): Promise<number> {
  let made = 0
  const guard = new LLMGuard({ dailyBudgetTokens: CAP * TOKENS_PER_CALL })
  const client = guard.wrapOpenAI({
    chat: {
      completions: {
        async create() {
          made++
          await sleep(CALL_MS)
          return { choices: [], usage: { prompt_tokens: 20, completion_tokens: TOKENS_PER_CALL - 20 } }
        },
      },
    },
  })
  await Promise.allSettled(Array.from({ length: CALLS }, () => client.chat(REQUEST)))
  return made
}

async function countAdmitted(): Promise<number> {
  let made = 0
  await using purser = await openPurser({
    store: 'memory:',
    ledger: { limits: [{ name: 'tokens', measure: 'tokens', max: CAP * TOKENS_PER_CALL, window: 'day' }] },
  })
  const { ledger } = purser.user('ada')
  const usage = { inputTokens: 20, outputTokens: TOKENS_PER_CALL - 20 }
  const call = async (): Promise<void> => {
    const admission = await ledger.admit({ model: `openai/${MODEL}`, estimate: usage })
    if (!admission.allowed) return
    made++
    await sleep(CALL_MS)
    await ledger.settle(admission.ticket, usage)
  }
  await Promise.all(Array.from({ length: CALLS }, call))
  return made
}
