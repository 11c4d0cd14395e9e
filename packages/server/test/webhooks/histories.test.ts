import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { printSeed, rounds, seed } from '../../../purser/test/support/fuzz-options.ts'
import { ACCEPTED, DOWN, openWebhookWorld, refused, type Sent, type WebhookWorld } from '../support/webhook-world.ts'

/*
 * Random histories of events, receivers that fail, erasures, and instances that start, stop and are killed at any moment,
 * also between the acceptance of a request and the write that records it. Afterwards the receiver works and one instance
 * runs: every event of users who were not erased was accepted, in the order of its user.
 */

type Step =
  | { readonly do: 'record'; readonly user: number; readonly count: number }
  | { readonly do: 'answer'; readonly as: 'accept' | 'down' | 'error' | 'busy' | 'poison' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'open' | 'kill' | 'killAtNext' | 'close' }
  | { readonly do: 'erase'; readonly user: number }

const USERS = 4
const user = fc.integer({ min: 0, max: USERS - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('record'), user, count: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('answer'),
      as: fc.constantFrom('accept', 'accept', 'down', 'error', 'busy', 'poison'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(100, 2_000, 30_000, 600_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('open', 'kill', 'killAtNext', 'close') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('erase'), user }) },
) as fc.Arbitrary<Step>

class History {
  readonly world: WebhookWorld
  readonly accepted: Sent[] = []
  readonly recorded = new Map<string, string>()
  readonly erased = new Set<string>()
  running: ReturnType<WebhookWorld['open']>[] = []
  mode: Extract<Step, { do: 'answer' }>['as'] = 'accept'
  killsNext = false

  constructor(world: WebhookWorld) {
    this.world = world
    world.answer = (sent) => this.#answer(sent)
  }

  #answer(sent: Sent): ReturnType<WebhookWorld['answer']> {
    if (this.mode === 'down') return DOWN
    if (this.mode === 'error') return refused(500)
    if (this.mode === 'busy') return refused(503, 7_000)
    if (this.mode === 'poison' && sent.user === 'user-0') return refused(400)
    this.accepted.push(sent)
    if (this.killsNext) {
      // The receiver has it, and the instance does not know.
      this.killsNext = false
      const index = this.running.findIndex((_, at) => this.#numbers[at] === sent.instance)
      if (index !== -1) this.#take(index).kill()
    }
    return ACCEPTED
  }

  /** The numbers of the running instances. */
  #numbers: number[] = []
  #opened = 0

  open(): void {
    if (this.running.length >= 3) return
    this.running.push(this.world.open())
    this.#numbers.push(this.#opened++)
  }

  #take(index: number): ReturnType<WebhookWorld['open']> {
    this.#numbers.splice(index, 1)
    return this.running.splice(index, 1)[0] as ReturnType<WebhookWorld['open']>
  }

  async run(step: Step): Promise<void> {
    const { world } = this
    if (step.do === 'record') {
      const name = `user-${step.user}`
      for (let count = 0; count < step.count; count++) {
        const event = await world.purser.user(name).ledger.record('app:seen')
        this.recorded.set(event.id, name)
      }
    } else if (step.do === 'answer') this.mode = step.as
    else if (step.do === 'pass') await world.pass(step.ms, Math.max(500, step.ms / 40))
    else if (step.do === 'open') this.open()
    else if (step.do === 'kill' && this.running.length > 0) this.#take(0).kill()
    else if (step.do === 'killAtNext') this.killsNext = true
    else if (step.do === 'close' && this.running.length > 0) {
      const closing = this.#take(0).webhooks.close()
      await world.pass(3_000)
      await closing
    } else if (step.do === 'erase') {
      const name = `user-${step.user}`
      await world.purser.user(name).erase({ actor: 'ana', reason: 'asked' })
      for (const [id, owner] of this.recorded) if (owner === name) this.recorded.delete(id)
      this.erased.add(name)
    }
  }

  async finish(): Promise<void> {
    this.mode = 'accept'
    this.killsNext = false
    this.open()
    const isDone = (): boolean => {
      const ids = new Set(this.accepted.map(({ id }) => id))
      return [...this.recorded.keys()].every((id) => ids.has(id))
    }
    await this.world.passUntil(isDone, 60 * 60_000)
  }

  check(): void {
    const sequences = new Map<string, number>()
    const seen = new Set<string>()
    for (const { id, user: owner, sequence } of this.accepted) {
      if (seen.has(id)) continue
      seen.add(id)
      // A new incarnation begins with the first sequence again.
      if (!this.erased.has(owner)) assert.ok(sequence > (sequences.get(owner) ?? 0), `${owner}: ${sequence} is late`)
      sequences.set(owner, sequence)
    }
  }
}

const RUNS = rounds(3_000, 40)

it(`loses nothing and keeps the order of each user in ${RUNS} histories with failures and kills`, async () => {
  printSeed('webhook histories')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const world = await openWebhookWorld()
      await using _ = world
      const history = new History(world)
      history.open()
      await history.running[0]?.webhooks.create({ url: 'http://receiver.example/', types: ['app:seen'] }, 'root')
      for (const each of steps) await history.run(each)
      await history.finish()
      history.check()
    }),
    { numRuns: RUNS, seed },
  )
})
