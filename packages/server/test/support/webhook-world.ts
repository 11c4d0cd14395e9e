import { openPurser, type Purser } from 'purser'
import { type EventLog, getEventLog, getMeta, getSealer } from 'purser/internal'
import { type HandClock, handClock } from 'purser/testing'
import type { WebhookResponse } from '../../src/webhooks/post-webhook.ts'
import { Webhooks } from '../../src/webhooks/webhooks.ts'

export interface Sent {
  readonly id: string
  readonly user: string
  readonly sequence: number
  readonly type: string
  /** Wall clock, epoch ms. */
  readonly at: number
  readonly url: string
  /** The number of the instance. */
  readonly instance: number
}

export interface WebhookInstance {
  readonly webhooks: Webhooks
  /** Ends it as `kill -9` does: nothing that it does from now on has an effect. */
  kill(): void
}

export interface WebhookWorld extends AsyncDisposable {
  readonly clock: HandClock
  readonly purser: Purser
  readonly log: EventLog
  /** What the receivers have got, in order, whether they have accepted it or not. */
  readonly sent: Sent[]
  /** What a receiver answers; tests replace it. Default: 204. */
  answer(sent: Sent, signal: AbortSignal): WebhookResponse | Promise<WebhookResponse>
  /** Opens an instance on the same store, and starts it. */
  open(): WebhookInstance
  /** Lets time pass in steps of `stepMs`, default 1 s, so that all that is due runs. */
  pass(ms: number, stepMs?: number): Promise<void>
  /** Lets time pass until `isDone`; fails after `maxMs` on the clock. */
  passUntil(isDone: () => boolean, maxMs?: number): Promise<void>
}

export const ACCEPTED: WebhookResponse = { ok: true, status: 204 }

export function refused(status: number, retryAfterMs: number | null = null): WebhookResponse {
  return { ok: false, status, error: `status ${status}`, retryAfterMs }
}

export const DOWN: WebhookResponse = { ok: false, status: null, error: 'ECONNREFUSED', retryAfterMs: null }

/** Webhooks on a clock that is moved by hand, with receivers that are functions. */
export async function openWebhookWorld(store?: string): Promise<WebhookWorld> {
  const clock = handClock()
  const purser = await openPurser({ store: store ?? 'memory:', effects: effectsOf(clock) })
  const instances: { readonly webhooks: Webhooks; isKilled: boolean }[] = []
  const log = getEventLog(purser)
  const world: WebhookWorld = {
    clock,
    purser,
    log,
    sent: [],
    answer: () => ACCEPTED,
    open() {
      const state = { isKilled: false }
      const number = instances.length
      const alive = <Result>(work: () => Promise<Result>): Promise<Result> => {
        if (state.isKilled) return new Promise(() => undefined)
        return work().then((result) => (state.isKilled ? new Promise<Result>(() => undefined) : result))
      }
      const meta = getMeta(purser)
      const webhooks = new Webhooks({
        effects: effectsOf(clock),
        log: {
          newest: () => alive(() => log.newest()),
          read: (after, limit) => alive(() => log.read(after, limit)),
          find: (id) => alive(() => log.find(id)),
          subscribe: log.subscribe,
        },
        meta: {
          get: (name) => alive(() => meta.get(name)),
          compareAndSet: (name, expected, value) => alive(() => meta.compareAndSet(name, expected, value)),
        },
        sealer: getSealer(purser),
        namespace: purser.namespace,
        allowPrivate: true,
        async post({ url, body, signal }) {
          if (state.isKilled) return new Promise(() => undefined)
          const { id, user, sequence, type } = JSON.parse(body).data
          const sent: Sent = { id, user, sequence, type, at: clock.now(), url, instance: number }
          world.sent.push(sent)
          return alive(async () => world.answer(sent, signal))
        },
      })
      webhooks.start()
      const instance = Object.assign(state, { webhooks })
      instances.push(instance)
      return { webhooks, kill: () => Object.assign(state, { isKilled: true }) }
    },
    async pass(ms, stepMs = 1_000) {
      for (let passed = 0; passed < ms; passed += stepMs) await clock.pass(Math.min(stepMs, ms - passed))
    },
    async passUntil(isDone, maxMs = 3_600_000) {
      for (let passed = 0; !isDone(); passed += 500) {
        if (passed > maxMs) throw new Error(`Not done after ${maxMs} ms.`)
        await clock.pass(500)
      }
    },
    async [Symbol.asyncDispose]() {
      const closing = Promise.all(
        instances.filter(({ isKilled }) => !isKilled).map(({ webhooks }) => webhooks.close()),
      ).then(() => purser.close())
      let isDone = false
      closing.finally(() => {
        isDone = true
      })
      for (let second = 0; !isDone && second < 60; second++) await clock.pass(1_000)
      await closing
    },
  }
  return world
}

function effectsOf({ now, monotonic, randomId, setTimer }: HandClock) {
  return { now, monotonic, randomId, setTimer }
}
