import type { Effects, Event, MetaStore } from 'purser'
import type { EventLog, Sealer } from 'purser/internal'
import { CasDocument } from '../auth/cas-document.ts'
import { type RepeatableRequest, withoutExpiredReply } from '../http/repeatable-request.ts'
import {
  type DeadLetters,
  EMPTY_QUEUE,
  NO_DEAD_LETTERS,
  type Outcome,
  type Queue,
  retryDelivery,
} from './delivery-queue.ts'
import { createPostWebhook, type PostWebhook, type WebhookResponse } from './post-webhook.ts'
import {
  createWebhook,
  invalidWebhook,
  MAX_WEBHOOKS,
  type NewWebhook,
  NO_WEBHOOKS,
  openSecret,
  patchWebhook,
  type StoredWebhook,
  sealSecret,
  type Webhook,
  type WebhookPatch,
  type WebhookSet,
  withoutSecret,
} from './webhook.ts'
import { postEvent, WebhookDeliverer } from './webhook-deliverer.ts'
import { WebhookLease } from './webhook-lease.ts'

/** How often the lease is renewed, and what other instances have changed is seen. */
const CHECK_MS = 5_000
/** Failed attempts of one delivery that an operator should look at. */
const FAILING_ATTEMPTS = 3

export interface WebhooksDeps {
  readonly meta: MetaStore
  readonly effects: Effects
  readonly log: EventLog
  readonly sealer: Sealer
  readonly namespace: string
  readonly allowPrivate: boolean
  /** Default: over HTTP. */
  readonly post?: PostWebhook
}

/** An event and what has become of it at one webhook. Instants are ISO 8601. */
export interface Delivery {
  /** The id of the event, which is also its `webhook-id`. */
  readonly id: string
  readonly type: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly nextAttemptAt: string | null
  readonly deliveredAt: string | null
  readonly diedAt: string | null
  readonly lastError: string | null
}

export type DeliveryState = 'pending' | 'delivered' | 'dead'
export const DELIVERY_STATES: readonly DeliveryState[] = ['pending', 'delivered', 'dead']

/** A webhook and how its deliveries stand. */
export interface WebhookStatus extends Webhook {
  readonly pending: number
  readonly dead: number
  /** The last error of what is pending or dead; null: none. */
  readonly lastError: string | null
  /** Whether an operator should look at it. */
  readonly isFailing: boolean
}

type OutcomeKind = Outcome['kind'] | 'dead'

/**
 * The webhooks of a namespace: what an admin has configured, and the delivery to all of them by one instance at a time.
 */
export class Webhooks {
  /** Called for every outcome of an attempt, in this process. */
  onOutcome: (kind: OutcomeKind) => void = () => undefined
  /** Called when the store fails; the work is tried again. */
  onError: (error: unknown) => void = () => undefined
  readonly #deps: WebhooksDeps
  readonly #name: string
  readonly #post: PostWebhook
  readonly #document: CasDocument<WebhookSet>
  readonly #lease: WebhookLease
  readonly #deliverers = new Map<string, { readonly webhook: StoredWebhook; readonly deliverer: WebhookDeliverer }>()
  readonly #queues = new Map<string, CasDocument<Queue>>()
  readonly #letters = new Map<string, CasDocument<DeadLetters>>()
  #cancelCheck: (() => void) | undefined
  #checking: Promise<void> = Promise.resolve()
  #isStarted = false
  #isClosed = false

  constructor(deps: WebhooksDeps) {
    const { meta, effects, namespace, allowPrivate, post } = deps
    this.#deps = deps
    this.#name = `webhooks/${encodeURIComponent(namespace)}`
    this.#post = post ?? createPostWebhook({ effects, allowPrivate })
    this.#document = new CasDocument(deps, this.#name, NO_WEBHOOKS)
    this.#lease = new WebhookLease({ meta, effects, name: `${this.#name}/lease` })
  }

  /** Delivers from now on, whenever no other instance does. */
  start(): void {
    if (this.#isStarted || this.#isClosed) return
    this.#isStarted = true
    this.#check()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelCheck?.()
    await this.#checking
    await this.#stopAll()
    await this.#lease.release().catch(this.#onError)
  }

  async list(): Promise<readonly WebhookStatus[]> {
    const { webhooks } = await this.#document.read()
    return Promise.all(webhooks.map((webhook) => this.#statusOf(webhook)))
  }

  async find(id: string): Promise<WebhookStatus | undefined> {
    const webhook = await this.#read(id)
    return webhook && this.#statusOf(webhook)
  }

  /** Creates a webhook for events from now on, and returns its secret once. A repeated request gets that of the first. */
  async create(fields: WebhookPatch, createdBy: string, repeatable?: RepeatableRequest): Promise<NewWebhook> {
    const { effects, log, sealer, allowPrivate } = this.#deps
    const replay = (webhooks: readonly StoredWebhook[]): NewWebhook | undefined =>
      repeatable?.replay(webhooks.map(({ reply }) => reply))
    const known = replay((await this.#document.read()).webhooks)
    if (known !== undefined) return known
    const { webhook, secret } = createWebhook(fields, { createdBy, now: effects.now(), allowPrivate })
    const cursor = await log.newest()
    await this.#queueOf(webhook.id).change(() => ({ ...EMPTY_QUEUE, cursor }))
    let created: NewWebhook = { ...webhook, secret }
    const reply = repeatable && { reply: repeatable.keep(created) }
    const stored: StoredWebhook = { ...webhook, sealedSecret: sealSecret(sealer, webhook.id, secret), ...reply }
    await this.#document.change((set) => {
      const webhooks = set.webhooks.map((other) => withoutExpiredReply(other, effects.now()))
      const earlier = replay(webhooks)
      if (earlier !== undefined) {
        created = earlier
        return set
      }
      if (webhooks.length >= MAX_WEBHOOKS)
        throw invalidWebhook('url', `The limit of ${MAX_WEBHOOKS} webhooks is reached.`, 'Delete webhooks not in use.')
      return { v: 1, webhooks: [...webhooks, stored] }
    })
    this.#checkSoon()
    return created
  }

  /** Undefined when there is no such webhook. */
  async change(id: string, patch: WebhookPatch): Promise<Webhook | undefined> {
    const { allowPrivate } = this.#deps
    const { webhooks } = await this.#document.change((set) => ({
      v: 1,
      webhooks: set.webhooks.map((webhook) =>
        webhook.id === id ? patchWebhook(webhook, patch, allowPrivate) : webhook,
      ),
    }))
    this.#checkSoon()
    const changed = webhooks.find((webhook) => webhook.id === id)
    return changed && withoutSecret(changed)
  }

  /** Undefined when there was none. What waited for it is not delivered any more. */
  async remove(id: string): Promise<Webhook | undefined> {
    const removed = await this.#read(id)
    if (removed === undefined) return undefined
    await this.#document.change(({ webhooks }) => ({ v: 1, webhooks: webhooks.filter((webhook) => webhook.id !== id) }))
    await this.#deliverers.get(id)?.deliverer.stop()
    this.#deliverers.delete(id)
    await this.#queueOf(id).change(() => ({ ...EMPTY_QUEUE }))
    await this.#lettersOf(id).change(() => ({ ...NO_DEAD_LETTERS }))
    return withoutSecret(removed)
  }

  /** Sends an event of the type `webhook_test` now, once. Undefined when there is no such webhook. */
  async test(id: string, signal: AbortSignal): Promise<(WebhookResponse & { readonly id: string }) | undefined> {
    const webhook = await this.#read(id)
    if (webhook === undefined) return undefined
    const event = this.#testEvent()
    const { effects, sealer } = this.#deps
    const target = { ...webhook, secret: openSecret(sealer, webhook) }
    return { ...(await postEvent({ effects, post: this.#post }, target, { event, signal })), id: event.id }
  }

  /** Undefined when there is no such webhook. Newest first. */
  async deliveries(id: string, state?: DeliveryState): Promise<readonly Delivery[] | undefined> {
    if ((await this.#read(id)) === undefined) return undefined
    const [{ pending, delivered }, { dead }] = await this.#readState(id)
    const waiting = new Set(pending.map((entry) => entry.id))
    const all: Delivery[] = [
      ...dead.filter((entry) => !waiting.has(entry.id)).map((entry) => toDelivery(entry, 'dead')),
      ...delivered.map((entry) => toDelivery(entry, 'delivered')),
      ...pending.map((entry) => toDelivery(entry, 'pending')),
    ]
    return all.filter((delivery) => state === undefined || delivery.state === state).reverse()
  }

  /** Attempts a dead or pending delivery as soon as possible. False when there is none, or its event is gone. */
  async retry(id: string, delivery: string): Promise<boolean> {
    const { effects, log } = this.#deps
    const [{ pending }, { dead }] = await this.#readState(id)
    const entry = [...pending, ...dead].find((candidate) => candidate.id === delivery)
    if (entry === undefined || (await this.#read(id)) === undefined) return false
    if ((await log.find(delivery)) === undefined) return false
    const now = effects.now()
    await this.#queueOf(id).change((queue) => retryDelivery(queue, entry, now))
    await this.#lettersOf(id).change((letters) => ({ v: 1, dead: letters.dead.filter((dead) => dead.id !== delivery) }))
    this.#deliverers.get(id)?.deliverer.wake()
    return true
  }

  readonly #check = (): void => {
    this.#cancelCheck?.()
    this.#checking = this.#checking.then(() => this.#distribute()).catch(this.#onError)
    void this.#checking.then(() => {
      if (this.#isClosed) return
      this.#cancelCheck?.()
      this.#cancelCheck = this.#deps.effects.setTimer(this.#check, CHECK_MS, { background: true })
    })
  }

  #checkSoon(): void {
    if (this.#isStarted && !this.#isClosed) this.#check()
  }

  /** Delivers to exactly the enabled webhooks while this instance has the lease. */
  async #distribute(): Promise<void> {
    if (this.#isClosed) return
    const { webhooks } = await this.#document.read()
    const enabled = webhooks.filter((webhook) => webhook.enabled)
    if (enabled.length === 0) {
      await this.#stopAll()
      await this.#lease.release()
      return
    }
    if (!(await this.#lease.hold())) {
      await this.#stopAll()
      return
    }
    const running = [...this.#deliverers]
    const outdated = running.filter(([, { webhook }]) => !enabled.some((one) => isSameTarget(one, webhook)))
    await Promise.all(outdated.map(([id, { deliverer }]) => this.#stop(id, deliverer)))
    for (const webhook of enabled) if (!this.#deliverers.has(webhook.id) && !this.#isClosed) this.#deliver(webhook)
  }

  #deliver(webhook: StoredWebhook): void {
    const { effects, log, sealer } = this.#deps
    const { id, url, types } = webhook
    const deps = {
      ...{ effects, log },
      post: this.#post,
      queue: this.#queueOf(id),
      deadLetters: this.#lettersOf(id),
      isLeader: () => this.#lease.isHeld,
      onOutcome: (kind: OutcomeKind) => this.onOutcome(kind),
      onError: this.#onError,
    }
    const deliverer = new WebhookDeliverer(deps, { url, types, secret: openSecret(sealer, webhook) })
    this.#deliverers.set(id, { webhook, deliverer })
  }

  async #stop(id: string, deliverer: WebhookDeliverer): Promise<void> {
    await deliverer.stop()
    this.#deliverers.delete(id)
  }

  async #stopAll(): Promise<void> {
    await Promise.all([...this.#deliverers].map(([id, { deliverer }]) => this.#stop(id, deliverer)))
  }

  readonly #onError = (error: unknown): void => this.onError(error)

  async #read(id: string): Promise<StoredWebhook | undefined> {
    return (await this.#document.read()).webhooks.find((webhook) => webhook.id === id)
  }

  #readState(id: string): Promise<[Queue, DeadLetters]> {
    return Promise.all([this.#queueOf(id).read(), this.#lettersOf(id).read()])
  }

  async #statusOf(webhook: StoredWebhook): Promise<WebhookStatus> {
    const [{ pending }, { dead }] = await this.#readState(webhook.id)
    const failing = pending.filter(({ attempts }) => attempts >= FAILING_ATTEMPTS)
    const lastError = pending.findLast(({ error }) => error !== null)?.error ?? dead.at(-1)?.error ?? null
    const isFailing = failing.length > 0 || dead.length > 0
    return { ...withoutSecret(webhook), pending: pending.length, dead: dead.length, lastError, isFailing }
  }

  #queueOf(id: string): CasDocument<Queue> {
    return documentOf(this.#queues, id, () => new CasDocument(this.#deps, `${this.#nameOf(id)}/queue`, EMPTY_QUEUE))
  }

  #lettersOf(id: string): CasDocument<DeadLetters> {
    return documentOf(this.#letters, id, () => new CasDocument(this.#deps, `${this.#nameOf(id)}/dead`, NO_DEAD_LETTERS))
  }

  #nameOf(id: string): string {
    return `${this.#name}/${id}`
  }

  #testEvent(): Event {
    const { effects } = this.#deps
    const at = new Date(effects.now()).toISOString()
    const id = `test-${effects.randomId()}`
    return { v: 1, id, user: '', sequence: 0, at, type: 'webhook_test', detail: 'a test', data: {}, mac: '' }
  }
}

function documentOf<Value>(
  documents: Map<string, CasDocument<Value>>,
  id: string,
  open: () => CasDocument<Value>,
): CasDocument<Value> {
  const document = documents.get(id) ?? open()
  documents.set(id, document)
  return document
}

function isSameTarget(one: StoredWebhook, other: StoredWebhook): boolean {
  return one.id === other.id && one.url === other.url && String(one.types) === String(other.types)
}

interface StoredDelivery {
  readonly id: string
  readonly type: string
  readonly attempts: number
  readonly nextAt?: number
  readonly deliveredAt?: number
  readonly diedAt?: number
  readonly error?: string | null
}

function toDelivery(stored: StoredDelivery, state: DeliveryState): Delivery {
  const { id, type, attempts, nextAt, deliveredAt, diedAt, error = null } = stored
  const toText = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString())
  return {
    ...{ id, type, state, attempts },
    nextAttemptAt: toText(nextAt),
    deliveredAt: toText(deliveredAt),
    diedAt: toText(diedAt),
    lastError: error,
  }
}
