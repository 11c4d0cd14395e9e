import assert from 'node:assert/strict'
import { PurserError } from '../../src/errors.ts'
import type { Lease } from '../../src/runtime/api.ts'
import type { McpConnectRequest, ModelRequest } from '../../src/runtime/ports.ts'
import type { Store } from '../../src/storage/store.ts'
import { type Chance, chanceOf, Schedule } from '../support/interleaving-scheduler.ts'
import { type House, type Opened, openHouse } from '../support/runtime-harness.ts'

/*
 * Thousands of users do everything at once: configure, read, acquire, call, override, evict, fail, cancel, break,
 * erase. Every value and every client carries the name of its owner. A seeded schedule decides who goes on.
 */

export interface Crowd {
  readonly seed: number
  readonly users: number
  readonly operations: number
}

const IN_FLIGHT = 200
const SESSIONS = ['s0', 's1', 's2']

/** Failures that a user may see here. Anything else is a fault of the runtime. */
const EXPECTED = new Set([
  'mcp_unavailable',
  'runtime_busy',
  'user_erased',
  'store_unavailable',
  'version_conflict',
  'closed',
])

interface World {
  readonly crowd: Crowd
  readonly house: House
  readonly chance: Chance
  readonly schedule: Schedule
  /** Configures that were acknowledged: who acquires later must not see less. */
  readonly seen: Map<string, { life: number; version: number }>
  readonly counts: Record<string, number>
}

const PROVIDERS = Object.fromEntries(
  ['p', 'q', 'r'].map((name) => [
    name,
    { kind: 'openai-compatible' as const, models: [`${name}-1`, `${name}-2`], defaultModel: `${name}-1` },
  ]),
)

async function createWorld(crowd: Crowd): Promise<World> {
  const chance = chanceOf(crowd.seed)
  const schedule = new Schedule(chance, 16)
  const house = await openHouse({
    providers: PROVIDERS,
    presets: { q: { provider: 'q', model: 'q-2' } },
    mcpServers: {
      own: { url: 'http://127.0.0.1:1/{user}', headers: { authorization: '{secret.token}' } },
      child: { command: 'nothing', env: { OWNER: '{user}' } },
    },
    options: { defaults: { provider: 'p' }, maxLive: Math.ceil(crowd.users / 4), maxMcpProcesses: 64, sweepMs: 1e9 },
  })
  slowDown(house.store, schedule, chance)
  house.behaviour.openTools = async ({ signal }) => {
    await schedule.pause()
    if (chance.may(0.05)) throw new Error('refused')
    if (!chance.may(0.5)) signal.throwIfAborted()
  }
  house.behaviour.closeTools = async () => {
    await schedule.pause()
    if (chance.may(0.05)) throw new Error('will not close')
  }
  return { crowd, house, chance, schedule, seen: new Map(), counts: {} }
}

/** The store takes its time, and is now and then away. */
function slowDown({ users, bus }: Store, schedule: Schedule, chance: Chance): void {
  const { load, record, records, commit } = users
  const away = async (): Promise<void> => {
    await schedule.pause()
    if (chance.may(0.002)) throw new PurserError('store_unavailable', 'The store is away.')
  }
  users.load = (user) => away().then(() => load(user))
  users.record = (user, kind, name) => away().then(() => record(user, kind, name))
  users.records = (user, kind, page) => away().then(() => records(user, kind, page))
  users.commit = (user, change) => away().then(() => commit(user, change))
  const { publish } = bus
  bus.publish = async (message) => {
    await schedule.pause()
    for (let times = chance.below(3); times > 0; times--) await publish(message)
  }
}

const stampOf = (id: string): string => `owned by ${id};`

/** What a lease shows must be its user's own, of one piece, and open. */
function inspectLease(id: string, lease: Lease): void {
  const { provider, model, region, parameters } = lease.settings
  if (region !== null) assert.ok(region.startsWith(stampOf(id)), `${id} sees the region ${region}`)
  for (const value of Object.values(parameters)) assert.equal(value, stampOf(id))
  assert.ok(provider !== null && model?.startsWith(`${provider}-`), `${id} sees the torn pair ${provider} and ${model}`)
  const { opened: built } = lease.chat as unknown as { opened: Opened<ModelRequest> }
  assert.equal(built.order.user.id, id)
  assert.equal(built.order.modelId, model)
  assert.equal(built.closes, 0, `${id} was given a closed model`)
  const key = built.order.credentials?.apiKey
  if (key !== undefined) assert.ok(key.startsWith(stampOf(id)), `${id} calls with the key ${key}`)
}

function inspectTools(id: string, opened: Opened<McpConnectRequest>): void {
  const { definition } = opened.order
  if ('url' in definition) {
    assert.equal(definition.url, `http://127.0.0.1:1/${encodeURIComponent(id)}`)
    assert.ok(definition.headers?.authorization?.startsWith(stampOf(id)))
  } else assert.equal(definition.env?.OWNER, id)
  assert.equal(opened.closes, 0, `${id} was given a closed client`)
}

async function useLease(
  { chance, schedule, house }: World,
  id: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const override = chance.may(0.3)
    ? chance.pick([
        { preset: 'q' },
        { provider: 'r' },
        { region: `${stampOf(id)} turn` },
        { provider: 'p', model: 'p-2' },
      ])
    : undefined
  const session = chance.may(0.2) ? chance.pick(SESSIONS) : undefined
  const lease = await house.user(id).acquire({ override, session, signal })
  try {
    inspectLease(id, lease)
    if (override?.preset !== undefined) assert.equal(lease.settings.model, 'q-2')
    const before = JSON.stringify(lease.settings)
    const server = chance.pick(['own', 'child'])
    if (chance.may(0.4)) {
      const { opened } = (await lease.mcp(server, { signal })) as unknown as { opened: Opened<McpConnectRequest> }
      inspectTools(id, opened)
      await schedule.pause()
      inspectLease(id, lease)
      inspectTools(id, opened)
    }
    await schedule.pause()
    assert.equal(JSON.stringify(lease.settings), before)
    inspectLease(id, lease)
  } finally {
    lease.release()
  }
}

async function configure({ house, chance, seen }: World, id: string): Promise<void> {
  const patch = chance.pick([
    { provider: chance.pick(['p', 'q', 'r']) },
    { provider: 'q', model: 'q-2', region: `${stampOf(id)}${chance.below(1e6)}` },
    { region: `${stampOf(id)}${chance.below(1e6)}`, parameters: { [`k${chance.below(5)}`]: stampOf(id) } },
    { provider: null, region: null },
    { preset: chance.pick(['q', null]) },
  ])
  const life = seen.get(id)?.life ?? 0
  const { version } = await house.user(id).configure(patch)
  const known = seen.get(id)
  if (known === undefined || (known.life === life && known.version < version)) seen.set(id, { life, version })
  const atLeast = seen.get(id)
  const { version: read } = await house.user(id).settings()
  if (seen.get(id)?.life === life)
    assert.ok(read >= (atLeast?.version ?? 0), `${id} reads version ${read} after ${version}`)
}

async function operate(world: World, id: string): Promise<void> {
  const { house, chance, schedule, seen, counts } = world
  const user = house.user(id)
  const count = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  const dice = chance.next()
  if (dice < 0.45) {
    count('use')
    await useLease(world, id, undefined)
  } else if (dice < 0.55) {
    count('cancel')
    const abort = new AbortController()
    const using = useLease(world, id, abort.signal)
    schedule.pause().then(() => abort.abort(new PurserError('closed', 'cancelled')))
    await using
  } else if (dice < 0.75) {
    count('configure')
    await configure(world, id)
  } else if (dice < 0.82) {
    count('secret')
    await user.setSecret(chance.pick(['p', 'q']), chance.may(0.2) ? null : { apiKey: `${stampOf(id)}${chance.next()}` })
    await user.setSecret('own', { token: `${stampOf(id)}${chance.next()}` })
  } else if (dice < 0.88) {
    count('session')
    await user.startSession(chance.pick(SESSIONS), { policy: chance.pick(['pin', 'follow']) })
  } else if (dice < 0.93) {
    count('read')
    const { region } = await user.settings({ session: chance.pick(SESSIONS) })
    if (region !== null) assert.ok(region.startsWith(stampOf(id)))
  } else if (dice < 0.96) {
    count('evict')
    await user.evict()
  } else if (dice < 0.97) {
    count('sweep')
    house.clock.stepWall((chance.next() - 0.5) * 172_800_000)
    house.clock.advance(600_000)
    await house.runtimes.sweep()
  } else if (dice < 0.99) {
    count('break')
    if (house.tools.length > 0) chance.pick(house.tools).breakIt()
  } else {
    count('erase')
    seen.set(id, { life: (seen.get(id)?.life ?? 0) + 1, version: 0 })
    await house.erase(id)
  }
}

async function live(world: World): Promise<void> {
  const { chance, counts, crowd } = world
  let left = crowd.operations
  const actor = async (): Promise<void> => {
    while (left-- > 0) {
      // Half of all operations fall on few users, so that they meet.
      const id = `user ${chance.below(chance.may(0.5) ? crowd.users : 20)}`
      await operate(world, id).catch((error: unknown) => {
        const isMissing = PurserError.is(error, 'secret_missing') && error.details?.name === 'own'
        if (!PurserError.is(error) || !(EXPECTED.has(error.code) || isMissing)) throw error
        counts[error.code] = (counts[error.code] ?? 0) + 1
      })
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, actor))
}

/** Lets a crowd live once, and then closes. Rejects when anybody met what is not theirs, or a client was not closed once. */
export async function runCrowd(crowd: Crowd): Promise<string> {
  const world = await createWorld(crowd)
  await world.schedule.run(live(world))
  const { house } = world
  assert.deepEqual(
    house.runtimes.active().filter(({ inUse }) => inUse > 0),
    [],
  )
  await world.schedule.run(house.runtimes.close({ timeoutMs: 0 }))
  assert.deepEqual(
    [...house.models, ...house.tools].filter(({ closes }) => closes !== 1),
    [],
  )
  assert.equal(house.clock.timers, 0)
  return `${house.models.length} models, ${house.tools.length} MCP clients, ${JSON.stringify(world.counts)}`
}
