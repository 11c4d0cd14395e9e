import { LRUCache } from 'lru-cache'
import { publish } from '../core/diagnostics.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { ProviderRefusal } from './api.ts'
import type { LedgerDeps } from './deps.ts'

/** A user whom a provider refuses may go on asking: one event in this time, in this process. */
const EVENT_INTERVAL_MS = 3_600_000
const MAX_USERS = 10_000

/** Records that a provider refuses a user for what they did. Every refusal is counted. */
export class ProviderRefusals {
  readonly #deps: Pick<LedgerDeps, 'journal' | 'effects'>
  /** When the last event of a user and a provider was recorded, monotonic ms. */
  readonly #recordedAt = new LRUCache<string, number>({ max: MAX_USERS })

  constructor(deps: Pick<LedgerDeps, 'journal' | 'effects'>) {
    this.#deps = deps
  }

  /** Written behind. */
  record(user: Subject, { provider, model, code, incarnation }: ProviderRefusal): void {
    const { journal, effects } = this.#deps
    publish('provider_refusal', { namespace: user.namespace, provider })
    const key = `${subjectKey(user)} ${provider}`
    const now = effects.monotonic()
    const recordedAt = this.#recordedAt.get(key)
    if (recordedAt !== undefined && now - recordedAt < EVENT_INTERVAL_MS) return
    this.#recordedAt.set(key, now)
    const detail = `the provider '${provider}' refuses this user`
    journal.defer<void>(user, {
      incarnation,
      decide: ({ exists }) => ({
        events: exists ? [{ type: 'provider_refusal', detail, data: { provider, model, code } }] : [],
        result: () => undefined,
      }),
    })
  }
}
