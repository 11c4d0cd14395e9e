/*
 * What callers get when the backend behind a context misbehaves: the same seven questions put to every library, each
 * set up as its documentation advises (see context/rivals.ts). Prints a table in Markdown.
 *
 * A caller who has no answer after ten budgets is counted as one who never gets one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { CONTENDERS, type Contender } from './context/peers.ts'

const BUDGET_MS = 300
const GIVE_UP_MS = BUDGET_MS * 10
const TTL_MS = 1_000
const USERS = 500

type Behaviour = 'well' | 'slow' | 'hangs' | 'rejects' | 'throws'

/** A backend that says how it is treated. */
function createBackend() {
  const state = {
    behaviour: 'well' as Behaviour,
    version: 1,
    calls: 0,
    inFlight: 0,
    most: 0,
    release: [] as (() => void)[],
  }
  async function call(user: string): Promise<object> {
    state.calls += 1
    if (state.behaviour === 'throws') throw new TypeError('backend is broken')
    if (state.behaviour === 'rejects') return Promise.reject(new Error('backend is down'))
    const version = state.version
    state.inFlight += 1
    state.most = Math.max(state.most, state.inFlight)
    try {
      if (state.behaviour === 'slow') await new Promise<void>((resolve) => state.release.push(resolve))
      if (state.behaviour === 'hangs') await new Promise<never>(() => undefined)
      return { user, note: `version ${version}` }
    } finally {
      state.inFlight -= 1
    }
  }
  return { state, call }
}

interface Answer {
  readonly waitedMs: number
  readonly outcome: 'told' | 'nothing' | 'threw' | 'never'
  readonly value: unknown
}

async function ask(contender: Contender, user: string): Promise<Answer> {
  const startedAt = performance.now()
  const done = (outcome: Answer['outcome'], value?: unknown): Answer => ({
    waitedMs: performance.now() - startedAt,
    outcome,
    value,
  })
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(done('never')), GIVE_UP_MS)
    const settle = (answer: Answer): void => {
      clearTimeout(timer)
      resolve(answer)
    }
    try {
      contender.get(user).then(
        (value) => settle(done(value === undefined ? 'nothing' : 'told', value)),
        () => settle(done('threw')),
      )
    } catch {
      settle(done('threw'))
    }
  })
}

const worst = (answers: readonly Answer[]): string => {
  if (answers.some((answer) => answer.outcome === 'never')) return 'never'
  return `${Math.max(...answers.map((answer) => answer.waitedMs)).toFixed(0)} ms`
}
const threw = (answers: readonly Answer[]): string =>
  answers.some((answer) => answer.outcome === 'threw') ? ', throws' : ''
const has = (answer: Answer, text: string): boolean => JSON.stringify(answer.value ?? null).includes(text)

type Question = (contender: Contender, backend: ReturnType<typeof createBackend>['state']) => Promise<string>

const QUESTIONS: Readonly<Record<string, Question>> = {
  '10,000 callers of one cold user: backend calls': async (contender, backend) => {
    await Promise.all(Array.from({ length: 10_000 }, () => ask(contender, 'one')))
    return String(backend.calls)
  },
  [`hung backend, ${USERS} cold users: worst answer (budget ${BUDGET_MS} ms)`]: async (contender, backend) => {
    backend.behaviour = 'hangs'
    const answers = await Promise.all(Array.from({ length: USERS }, (_, index) => ask(contender, `u${index}`)))
    return worst(answers) + threw(answers)
  },
  'the same: backend calls in flight, with one more round of callers': async (contender, backend) => {
    backend.behaviour = 'hangs'
    for (let round = 0; round < 2; round++)
      await Promise.all(Array.from({ length: USERS }, (_, index) => ask(contender, `u${index}`)))
    return String(backend.most)
  },
  'hung backend, 20 callers of one cold user, one after the other in 50 ms: worst answer': async (
    contender,
    backend,
  ) => {
    backend.behaviour = 'hangs'
    const answers: Promise<Answer>[] = []
    for (let caller = 0; caller < 20; caller++) {
      answers.push(ask(contender, 'one'))
      await sleep(50)
    }
    const all = await Promise.all(answers)
    return worst(all) + threw(all)
  },
  'old data and a hung backend: what the next caller gets': async (contender, backend) => {
    await ask(contender, 'one')
    backend.behaviour = 'hangs'
    await sleep(TTL_MS + 100)
    const answer = await ask(contender, 'one')
    return `${has(answer, 'version 1') ? 'old data' : answer.outcome} after ${worst([answer])}`
  },
  'failing backend, cold: what a caller gets, and backend calls for 100 in a row': async (contender, backend) => {
    backend.behaviour = 'rejects'
    const answers: Answer[] = []
    for (let call = 0; call < 100; call++) answers.push(await ask(contender, 'one'))
    const outcome =
      answers[0]?.outcome === 'threw' ? 'an exception' : answers[0]?.outcome === 'told' ? 'a default' : 'undefined'
    return `${outcome}, ${backend.calls} calls`
  },
  'a load that began before an invalidation lands after it: the next reader sees': async (contender, backend) => {
    backend.behaviour = 'slow'
    const first = ask(contender, 'one')
    await sleep(20)
    backend.version = 2
    await contender.invalidate('one')
    for (const release of backend.release) release()
    await first
    await sleep(20)
    backend.behaviour = 'well'
    const answer = await ask(contender, 'one')
    return has(answer, 'version 2') ? 'new data' : has(answer, 'version 1') ? 'old data' : answer.outcome
  },
}

const unhandled = new Map<string, number>()
let running = ''
process.on('unhandledRejection', () => unhandled.set(running, (unhandled.get(running) ?? 0) + 1))

const names = Object.keys(CONTENDERS)
console.log(`| | ${names.join(' | ')} |\n|--|${names.map(() => '--').join('|')}|`)
for (const [question, put] of Object.entries(QUESTIONS)) {
  const cells: string[] = []
  for (const [name, open] of Object.entries(CONTENDERS)) {
    running = name
    const backend = createBackend()
    const contender = await open({ backend: backend.call, ttlMs: TTL_MS, budgetMs: BUDGET_MS })
    cells.push(await put(contender, backend.state))
    await Promise.race([contender.close(), sleep(500)])
  }
  console.log(`| ${question} | ${cells.join(' | ')} |`)
}
console.log(`| unhandled rejections in all of this | ${names.map((name) => unhandled.get(name) ?? 0).join(' | ')} |`)
process.exit(0)
