import type { Effects, Event } from 'purser'
import { createJitter, type EventLog, endsWithin, type LoggedEvent } from 'purser/internal'
import type { CasDocument } from '../auth/cas-document.ts'
import {
  addDead,
  type Dead,
  type DeadLetters,
  isDue,
  MAX_PENDING,
  type Outcome,
  PAGE,
  type Pending,
  pendingEvent,
  type Queue,
  recordRound,
  selectFirst,
} from './delivery-queue.ts'
import type { PostWebhook, WebhookResponse } from './post-webhook.ts'
import { signatureHeaders } from './signature.ts'

/** Requests to one receiver at the same time, of different users. One at a time while it fails. */
const MAX_PARALLEL = 16
/** What another instance has changed is seen after this time. */
const POLL_MS = 5_000
/** After an error of the store. */
const STORE_RETRY_MS = 2_000
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 60_000
/** For requests in progress when the instance stops. */
const STOP_MS = 2_000

export interface WebhookTarget {
  readonly url: string
  readonly types: readonly string[] | null
  readonly secret: string
}

export interface DelivererDeps {
  readonly effects: Effects
  readonly log: EventLog
  readonly post: PostWebhook
  readonly queue: CasDocument<Queue>
  readonly deadLetters: CasDocument<DeadLetters>
  /** Whether this instance may still deliver. */
  isLeader(): boolean
  onOutcome(kind: Outcome['kind'] | 'dead'): void
  onError(error: unknown): void
}

interface Candidate extends Pending {
  readonly user: string
}

/**
 * Delivers events to one webhook, round by round: read the log, send what is due, record the outcomes. A receiver that
 * fails is asked less and less often, at least once a minute, until it accepts something.
 */
export class WebhookDeliverer {
  readonly #deps: DelivererDeps
  readonly #target: WebhookTarget
  readonly #random: () => number
  readonly #abort = new AbortController()
  readonly #unsubscribe: () => void
  readonly #ended: Promise<void>
  #wake = Promise.withResolvers<void>()
  #isStopping = false
  /** The users of the pending events, which are not stored with them. */
  #users: ReadonlyMap<string, string> = new Map()
  /** Rounds in a row in which nothing was accepted. */
  #failures = 0
  /** Monotonic ms. */
  #pausedUntil = Number.NEGATIVE_INFINITY

  constructor(deps: DelivererDeps, target: WebhookTarget) {
    this.#deps = deps
    this.#target = target
    this.#random = createJitter(deps.effects.randomId())
    this.#unsubscribe = deps.log.subscribe(() => this.wake())
    this.#ended = this.#run()
  }

  /** Looks for something to do now. */
  wake(): void {
    this.#wake.resolve()
  }

  /** Ends after the requests in progress; cuts them after two seconds. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#unsubscribe()
    this.wake()
    if (!(await endsWithin(this.#deps.effects, this.#ended, STOP_MS))) this.#abort.abort()
    await this.#ended
  }

  async #run(): Promise<void> {
    const { onError } = this.#deps
    while (!this.#isStopping) {
      this.#wake = Promise.withResolvers()
      try {
        const waitMs = await this.#deliverRound()
        if (waitMs > 0) await this.#wait(waitMs)
      } catch (error) {
        onError(error)
        await this.#wait(STORE_RETRY_MS)
      }
    }
  }

  /** Resolves to the time until the next round, ms. */
  async #deliverRound(): Promise<number> {
    const { effects, log, queue: document, isLeader } = this.#deps
    const queue = await document.read()
    const hasSpace = queue.pending.length + PAGE <= MAX_PENDING
    const page = hasSpace ? await log.read(queue.cursor, PAGE) : []
    const now = effects.now()
    const added = page.filter(({ event }) => this.#isSubscribed(event)).map((entry) => toPending(entry, now))
    const cursor = page.at(-1)?.position ?? queue.cursor
    const pauseMs = Math.max(0, this.#pausedUntil - effects.monotonic())
    const first = pauseMs > 0 ? [] : await this.#selectFirst([...queue.pending, ...added], page)
    const due = first.filter((entry) => isDue(entry, now)).slice(0, this.#failures === 0 ? MAX_PARALLEL : 1)
    if (page.length === 0 && due.length === 0) {
      const waits = first.map(({ nextAt }) => nextAt - now)
      return Math.min(POLL_MS, ...waits, ...(pauseMs > 0 ? [pauseMs] : []))
    }
    if (!isLeader()) return POLL_MS
    const outcomes = await Promise.all(due.map((candidate) => this.#send(candidate)))
    this.#countFailures(outcomes)
    const { aborted: wasCut } = this.#abort.signal
    const known = wasCut ? outcomes.filter(({ kind }) => kind !== 'failed') : outcomes
    await this.#record({ cursor, added, outcomes: known })
    return 0
  }

  /** The first pending event of each user. */
  async #selectFirst(pending: readonly Pending[], page: readonly LoggedEvent[]): Promise<readonly Candidate[]> {
    const read = new Map(page.map(({ event }) => [event.id, event]))
    const users = new Map<string, string>()
    for (const { id } of pending) {
      const user = this.#users.get(id) ?? (read.get(id) ?? (await this.#deps.log.find(id)))?.user
      users.set(id, user ?? `gone ${id}`)
    }
    this.#users = users
    return selectFirst(pending.map((entry) => ({ ...entry, user: users.get(entry.id) as string })))
  }

  /** Sends the event as it is in the log now: an erased one is not there any more. */
  async #send({ id }: Candidate): Promise<Outcome> {
    const { effects, log, post } = this.#deps
    const event = await log.find(id)
    if (event === undefined) return { id, kind: 'gone' }
    const response = await postEvent({ effects, post }, this.#target, { event, signal: this.#abort.signal })
    if (response.ok) return { id, kind: 'delivered' }
    const { error, retryAfterMs } = response
    return { id, kind: 'failed', error, retryAfterMs }
  }

  /** After a round in which nothing was accepted, the next one waits longer. */
  #countFailures(outcomes: readonly Outcome[]): void {
    if (outcomes.some(({ kind }) => kind === 'delivered')) this.#failures = 0
    else if (outcomes.some(({ kind }) => kind === 'failed')) this.#failures++
    else return
    if (this.#failures === 0) return
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 16), MAX_PAUSE_MS)
    this.#pausedUntil = this.#deps.effects.monotonic() + pauseMs * (0.5 + this.#random() / 2)
  }

  /** Dead letters first: a crash in between leaves a delivery in both, and it is attempted again. */
  async #record(round: Pick<Parameters<typeof recordRound>[1], 'cursor' | 'added' | 'outcomes'>): Promise<void> {
    const { effects, queue, deadLetters, onOutcome } = this.#deps
    // The same numbers for every decision, and one instant.
    const now = effects.now()
    const jitter = this.#random()
    const decide = (current: Queue): ReturnType<typeof recordRound> =>
      recordRound(current, { ...round, now, random: () => jitter })
    const { dead } = decide(await queue.read())
    if (dead.length > 0) await deadLetters.change((letters) => addDead(letters, dead))
    let died: readonly Dead[] = []
    await queue.change((current) => {
      const recorded = decide(current)
      died = recorded.dead
      return recorded.queue
    })
    for (const { kind } of round.outcomes) onOutcome(kind)
    for (const _ of died) onOutcome('dead')
  }

  #isSubscribed({ type }: Event): boolean {
    const { types } = this.#target
    return types === null || types.includes(type)
  }

  async #wait(waitMs: number): Promise<void> {
    const { effects } = this.#deps
    const cancel = effects.setTimer(() => this.wake(), waitMs, { background: true })
    await this.#wake.promise
    cancel()
  }
}

/** Sends one event, signed. Never rejects. */
export function postEvent(
  { effects, post }: Pick<DelivererDeps, 'effects' | 'post'>,
  { url, secret }: WebhookTarget,
  { event, signal }: { readonly event: Event; readonly signal: AbortSignal },
): Promise<WebhookResponse> {
  const body = JSON.stringify({ type: event.type, timestamp: event.at, data: event })
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'purser-webhooks',
    ...signatureHeaders(secret, { id: event.id, at: effects.now(), body }),
  }
  return post({ url, headers, body, signal })
}

function toPending({ position, event: { id, type } }: LoggedEvent, now: number): Pending {
  return pendingEvent({ id, type, position }, now)
}
