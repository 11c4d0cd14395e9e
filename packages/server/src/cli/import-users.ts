import { type Bond, PurserError, type Session, type Settings } from 'purser'
import { ApiProblem, type Connection } from './connection.ts'
import { type ExportLine, headerOf, readExports, type Survey } from './export-file.ts'

/** What became of one user of the file. */
export interface UserReport {
  readonly user: string
  /** True: the user is there already, and nothing was touched. */
  readonly exists: boolean
  /** How many of each were taken in. */
  readonly taken: Readonly<Record<string, number>>
  /** What cannot be taken in from an export. */
  readonly left: readonly Left[]
  /** What this installation refused. */
  readonly refused: readonly { readonly line: number; readonly message: string }[]
}

interface Left {
  readonly what: string
  readonly count: number
  readonly why: string
}

export interface ImportOrder {
  readonly connection: Connection
  readonly path: string
  readonly survey: Survey
  /** Write into users that exist, too. */
  readonly force: boolean
  readonly signal: AbortSignal
}

const WHY_LEFT: Readonly<Record<string, string>> = {
  secret: 'Secrets are never exported; set them again.',
  mcp_authorization: 'Tokens are never exported; the person has to authorize the server again.',
  session: 'A pinned session runs on settings that an export does not hold.',
  counter: 'What was used up was used up there.',
  answer: 'An answer is exported without its question, under which it would be found.',
  event: 'Old events are recorded only in a store that is opened here: run this without --url.',
}
const ACTIONS_AT_ONCE = 500
const MAX_REFUSALS = 100
const ABOUT_THE_ROW = [400, 404, 409, 413, 422]
const FIELDS = [
  'provider',
  'model',
  'region',
  'deployment',
  'baseURL',
  'mcpServers',
  'preset',
  'parameters',
  'allowedModels',
] as const satisfies readonly (keyof Settings)[]

/**
 * Takes in the users of a surveyed file, one after the other, through the management API; their events where the store
 * is opened here.
 *
 * A log is chained under the key of the store that wrote it, so its events cannot become events that happened here.
 * Each is kept as what it is: a record, in a new event of the type `import:event`, under the import's own. Then the
 * state they led to is set by new events, whose reason says where it comes from.
 */
export async function* importUsers(order: ImportOrder, onRow: (rows: number) => void): AsyncGenerator<UserReport> {
  let rows = 0
  let user: UserImport | undefined
  for await (const { line, row } of readExports(order.path, order.signal)) {
    if (row.part === 'header') user = await UserImport.begin(order, { line, row })
    else if (row.part === 'end') {
      if (user !== undefined) yield await user.end(line)
    } else await user?.take({ line, row })
    onRow(++rows)
  }
}

/** One call that brings rows in. */
interface Step {
  /** Of the file; where a refusal is told. */
  readonly line: number
  readonly what: string
  readonly call: readonly [method: string, place: string]
  readonly body: unknown
  /** How many rows it brings; 1 when left out. */
  readonly count?: number
  readonly idempotencyKey?: string
}

/** One event of the import's own. */
interface Recording {
  readonly line: number
  readonly what: string
  readonly type: string
  readonly detail?: string
  readonly data: Readonly<Record<string, unknown>>
  readonly idempotencyKey: string
}

interface ExportedNote {
  readonly id: string
  readonly at: string
  readonly actor: string
  readonly text: string
}

function isAboutTheRow(error: unknown): error is Error {
  if (error instanceof ApiProblem) return ABOUT_THE_ROW.includes(error.status)
  return PurserError.is(error, 'event_invalid')
}

class UserImport {
  readonly #order: ImportOrder
  readonly #id: string
  readonly #origin: string
  readonly #before: Bond
  readonly #taken: Record<string, number> = {}
  readonly #left = new Map<string, number>()
  readonly #refused: { line: number; message: string }[] = []
  #actions: unknown[] = []
  #bond: { readonly line: number; readonly value: Bond } | undefined

  static async begin(order: ImportOrder, { line, row }: ExportLine): Promise<UserImport> {
    const { user = '', namespace } = headerOf(row)
    const before = (await order.connection.call('GET', ['users', user, 'bond'])) as Bond
    const begun = new UserImport(order, user, before)
    if (begun.#exists) return begun
    const data = { exportedAt: row.at, namespace, sha256: order.survey.digest }
    await begun.#record({ line, what: 'origin', type: 'import:export', data, idempotencyKey: order.survey.digest })
    return begun
  }

  private constructor(order: ImportOrder, id: string, before: Bond) {
    this.#order = order
    this.#id = id
    this.#before = before
    this.#origin = `import sha256:${order.survey.digest.slice(0, 16)}`
  }

  get #exists(): boolean {
    return this.#before.exists && !this.#order.force
  }

  async take({ line, row }: ExportLine): Promise<void> {
    if (this.#exists) return
    if (row.type !== 'action') await this.#sendActions(line - 1)
    switch (row.type) {
      case 'settings':
        return this.#takeSettings(line, row.value as Settings)
      case 'session':
        return this.#takeSession(line, row.value as Session)
      case 'profile':
        return this.#send({ line, what: 'profile', call: ['PUT', 'profile'], body: row.value })
      case 'action':
        if (this.#actions.push(row.value) >= ACTIONS_AT_ONCE) await this.#sendActions(line)
        return
      case 'event':
        return this.#takeEvent(line, row.value as Readonly<Record<string, unknown>>)
      case 'note':
        return this.#takeNote(line, row.value as ExportedNote)
      case 'bond':
        // State follows the records of how it came to be.
        this.#bond = { line, value: row.value as Bond }
        return
      default:
        this.#leave(row.type)
    }
  }

  async end(line: number): Promise<UserReport> {
    await this.#sendActions(line - 1)
    if (this.#bond !== undefined) await this.#takeBond(this.#bond.line, this.#bond.value)
    return {
      user: this.#id,
      exists: this.#exists,
      taken: this.#taken,
      left: [...this.#left].map(([what, count]) => ({ what, count, why: WHY_LEFT[what] ?? 'It is not known here.' })),
      refused: this.#refused,
    }
  }

  async #takeSettings(line: number, settings: Settings): Promise<void> {
    const own = FIELDS.filter((field) => settings.origin?.[field] === 'user').map((field) => [field, settings[field]])
    if (own.length === 0) return
    await this.#send({ line, what: 'settings', call: ['PATCH', 'runtime'], body: Object.fromEntries(own) })
  }

  async #takeSession(line: number, { id, policy }: Session): Promise<void> {
    if (policy === 'pin') this.#leave('session')
    else await this.#send({ line, what: 'sessions', call: ['POST', 'sessions'], body: { id, policy } })
  }

  async #takeEvent(line: number, { user: _, detail, ...data }: Readonly<Record<string, unknown>>): Promise<void> {
    const idempotencyKey = `import:${data.id}`
    await this.#record({
      line,
      what: 'events',
      type: 'import:event',
      detail: String(detail ?? ''),
      data,
      idempotencyKey,
    })
  }

  async #takeNote(line: number, { id, at, actor, text }: ExportedNote): Promise<void> {
    const body = { text, reason: `${this.#origin}, written ${at} by ${actor}` }
    await this.#send({ line, what: 'notes', call: ['POST', 'notes'], body, idempotencyKey: `import:${id}` })
  }

  async #takeBond(line: number, bond: Bond): Promise<void> {
    const labels = this.#changed(bond, ['phase', 'riskLevel'])
    const peaks = Object.fromEntries(Object.entries(bond.peaks ?? {}).map(([node, { value }]) => [node, value]))
    const detection = {
      ...this.#changed(bond, ['archetype', 'eggStatus', 'turnCount']),
      ...(Object.keys(peaks).length === 0 ? {} : { peaks }),
    }
    const zone = this.#changed(bond, ['timeZone'])
    const send = (what: string, call: Step['call'], body: unknown): Promise<void> =>
      this.#send({ line, what, call, body })
    if (Object.keys(zone).length > 0) await send('time zone', ['PUT', 'timezone'], zone)
    if (bond.capOrigin === 'user') await send('cap', ['PUT', 'cap'], { cap: bond.dailyCap })
    if (Object.keys(labels).length > 0) await send('labels', ['POST', 'correct'], labels)
    if (Object.keys(detection).length > 0) {
      await send('measures', ['POST', 'detections'], { ...detection, source: { name: 'import' } })
    }
    if (bond.blocked) {
      const { reason, until } = bond.blocked
      await send('block', ['PUT', 'block'], { reason, ...(until === null ? {} : { until }) })
    }
  }

  /** What the file says otherwise than the user here has it. */
  #changed(bond: Bond, fields: readonly (keyof Bond)[]): Readonly<Record<string, unknown>> {
    const differing = fields.filter((field) => bond[field] !== undefined && bond[field] !== this.#before[field])
    return Object.fromEntries(differing.map((field) => [field, bond[field]]))
  }

  async #sendActions(line: number): Promise<void> {
    if (this.#actions.length === 0) return
    const body = this.#actions
    this.#actions = []
    const idempotencyKey = `${this.#origin}:${line}`
    await this.#send({ line, what: 'actions', call: ['POST', 'actions'], body, count: body.length, idempotencyKey })
  }

  async #send({ line, what, call: [method, place], body, count = 1, idempotencyKey }: Step): Promise<void> {
    const headers = {
      'x-purser-reason': this.#origin,
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    }
    const { connection } = this.#order
    await this.#attempt({ line, what, count }, () =>
      connection.call(method, ['users', this.#id, place], { body, headers }),
    )
  }

  async #record({ line, what, type, ...options }: Recording): Promise<void> {
    const { purser } = this.#order.connection
    if (purser === undefined) {
      if (what === 'events') this.#leave('event')
    } else {
      const act = () => purser.user(this.#id).ledger.record(type, { ...options, actor: 'purser command' })
      await this.#attempt({ line, what, count: 1 }, act)
    }
  }

  /** A refusal of these rows is told in the report; that nobody can be reached, or we may not, ends the import. */
  async #attempt({ line, what, count }: Pick<Required<Step>, 'line' | 'what' | 'count'>, act: () => Promise<unknown>) {
    try {
      await act()
      this.#taken[what] = (this.#taken[what] ?? 0) + count
    } catch (error) {
      if (!isAboutTheRow(error)) throw error
      if (this.#refused.length < MAX_REFUSALS) this.#refused.push({ line, message: error.message })
    }
  }

  #leave(what: string): void {
    this.#left.set(what, (this.#left.get(what) ?? 0) + 1)
  }
}
