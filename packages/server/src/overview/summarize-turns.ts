import type { TurnRecord, User } from 'purser'

/** What the stored turns of a user say about the provider's prompt cache. */
export interface TurnSummary {
  /** Turns that were answered. */
  readonly turns: number
  /** Of them, those whose stable prefix is the first of its session, equal to the one before, or another one. */
  readonly prefixes: { readonly first: number; readonly same: number; readonly changed: number }
  readonly inputTokens: number
  /** Of the input tokens, those that the provider had cached. */
  readonly cachedTokens: number
}

const PAGE_TURNS = 1_000
/** Pages that are read; without a limit of the records themselves, the newest turns count. */
const MAX_PAGES = 10

/** Adds up all stored turns of a user that were completed, the newest 10,000 at most. */
export async function summarizeTurns({ turns: readTurns }: Pick<User, 'turns'>): Promise<TurnSummary> {
  const summary = { turns: 0, prefixes: { first: 0, same: 0, changed: 0 }, inputTokens: 0, cachedTokens: 0 }
  let before: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const turns: readonly TurnRecord[] = await readTurns({ outcome: 'completed', limit: PAGE_TURNS, before })
    for (const { prefix, inputTokens, cachedTokens } of turns) {
      summary.turns += 1
      summary.inputTokens += inputTokens
      summary.cachedTokens += cachedTokens
      if (prefix !== null) summary.prefixes[prefix] += 1
    }
    if (turns.length < PAGE_TURNS) break
    before = turns.at(-1)?.id
  }
  return summary
}
