import { type Bond, type LimitState, PurserError, type Session, type Settings } from 'purser'
import { recordImportsOf } from 'purser/internal'
import type { Connection } from './connection.ts'
import { type ExportLine, type ExportSummary, getHeader, readExportFile } from './export-file.ts'
import { type ImportedRows, ImportReport, type UserReport } from './import-report.ts'

export interface ImportOptions {
  readonly connection: Connection
  readonly path: string
  readonly summary: ExportSummary
  /** Also write into users that exist. */
  readonly force: boolean
  readonly signal: AbortSignal
}

const ACTIONS_PER_CALL = 500
/** Records of turns, sums of usage, or what is used of limits. */
const RECORDS_PER_CALL = 100
/** More than any user has: 48 counters, of which one may have a part for each minute of a day. */
const MAX_COUNTERS = 5_000
const SETTINGS_FIELDS = [
  'provider',
  'model',
  'region',
  'deployment',
  'baseURL',
  'mcpServers',
  'preset',
  'parameters',
  'allowedModels',
  'fallbacks',
] as const satisfies readonly (keyof Settings)[]

/**
 * Imports the users of a validated file, one after the other, through the management API. Their events are imported
 * only when the store is opened directly.
 *
 * An exported event log is chained with the key of the store that wrote it, so its events cannot be appended to a log of
 * this store. Each is recorded as data of a new event of type `import:event`. The state that the log led to is then set
 * by new events, whose reason names the import.
 */
export async function* importUsers(options: ImportOptions, onRow: (rows: number) => void): AsyncGenerator<UserReport> {
  let rows = 0
  let user: UserImport | undefined
  for await (const { line, row } of readExportFile(options.path, options.signal)) {
    if (row.part === 'header') user = await UserImport.start(options, { line, row })
    else if (row.part === 'end') {
      if (user !== undefined) yield await user.finish(line)
    } else await user?.importRow({ line, row })
    onRow(++rows)
  }
}

/** One call of the management API that imports rows. */
interface ImportCall extends ImportedRows {
  readonly method: string
  /** The path after `/api/users/:id/`. */
  readonly path: string | readonly string[]
  readonly body: unknown
  readonly idempotencyKey?: string
}

/** An event that the import itself records. */
interface ImportEvent extends ImportedRows {
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

/** Rows that are imported only when the store is opened directly. */
const RECORDS = {
  turn: { call: 'turns', what: 'turns' },
  usage: { call: 'usage', what: 'usage' },
  counter: { call: 'use', what: 'use of limits' },
} as const
type RecordType = keyof typeof RECORDS

class UserImport {
  readonly #connection: Connection
  readonly #id: string
  /** The bond before the import. */
  readonly #before: Bond
  readonly #isSkipped: boolean
  readonly #reason: string
  readonly #report = new ImportReport()
  #actions: unknown[] = []
  /** Rows of the same kind that are to be written together, with their lines. */
  #records: { readonly type: RecordType; readonly lines: ExportLine[] } = { type: 'turn', lines: [] }
  /** Imported last: which limits a user has depends on the plan, and their windows on the time zone. */
  readonly #counters: ExportLine[] = []
  #hasDailyLimit = false
  #bond: { readonly line: number; readonly value: Bond } | undefined

  static async start(options: ImportOptions, { line, row }: ExportLine): Promise<UserImport> {
    const { user = '', namespace } = getHeader(row)
    const before = (await options.connection.request('GET', ['users', user, 'bond'])) as Bond
    const started = new UserImport(options, user, before)
    if (started.#isSkipped) return started
    const { digest } = options.summary
    const data = { exportedAt: row.at, namespace, sha256: digest }
    await started.#record({ line, what: 'origin', type: 'import:export', data, idempotencyKey: digest })
    return started
  }

  private constructor({ connection, summary, force }: ImportOptions, id: string, before: Bond) {
    this.#connection = connection
    this.#id = id
    this.#before = before
    this.#isSkipped = before.exists && !force
    this.#reason = `import sha256:${summary.digest.slice(0, 16)}`
  }

  async importRow({ line, row }: ExportLine): Promise<void> {
    if (this.#isSkipped) return
    if (row.type !== 'action') await this.#sendActions(line - 1)
    if (row.type !== this.#records.type) await this.#writeRecords()
    switch (row.type) {
      case 'settings':
        return this.#importSettings(line, row.value as Settings)
      case 'session':
        return this.#importSession(line, row.value as Session)
      case 'profile':
        return this.#send({ line, what: 'profile', method: 'PUT', path: 'profile', body: row.value })
      case 'consent':
        return this.#importConsent(line, row.value as { readonly enabled: boolean })
      case 'action':
        if (this.#actions.push(row.value) >= ACTIONS_PER_CALL) await this.#sendActions(line)
        return
      case 'event':
        return this.#importEvent(line, row.value as Readonly<Record<string, unknown>>)
      case 'note':
        return this.#importNote(line, row.value as ExportedNote)
      case 'turn':
      case 'usage':
        return this.#importRecord(row.type, { line, row })
      case 'counter':
        if (this.#counters.length === MAX_COUNTERS) return this.#report.skip('counter')
        this.#counters.push({ line, row })
        return
      case 'limit':
        return this.#importLimit(line, row.value as LimitState)
      case 'bond':
        // Imported last, so that the state follows the records of the events that led to it.
        this.#bond = { line, value: row.value as Bond }
        return
      default:
        this.#report.skip(row.type)
    }
  }

  /** A limit that an operator had set. Those of the person are theirs to set again. */
  async #importLimit(line: number, { name, origin, max, until }: LimitState): Promise<void> {
    if (origin !== 'user') return this.#report.skip('limit')
    const body = { max, ...(until === null ? {} : { until }) }
    if (name === 'daily') this.#hasDailyLimit = true
    await this.#send({ line, what: 'limits', method: 'PUT', path: ['limits', name], body })
  }

  #importConsent(line: number, { enabled }: { readonly enabled: boolean }): Promise<void> {
    return this.#send({ line, what: 'consent', method: 'PUT', path: 'context', body: { enabled } })
  }

  async finish(line: number): Promise<UserReport> {
    await this.#sendActions(line - 1)
    await this.#writeRecords()
    if (this.#bond !== undefined) await this.#importBond(this.#bond.line, this.#bond.value)
    for (const counter of this.#counters) await this.#importRecord('counter', counter)
    await this.#writeRecords()
    return this.#report.build(this.#id, this.#isSkipped)
  }

  /** Imports only the fields that the user has set; the others come from the layers of this installation. */
  async #importSettings(line: number, settings: Settings): Promise<void> {
    const ownFields = SETTINGS_FIELDS.filter((field) => settings.origin?.[field] === 'user')
    if (ownFields.length === 0) return
    const body = Object.fromEntries(ownFields.map((field) => [field, settings[field]]))
    await this.#send({ line, what: 'settings', method: 'PATCH', path: 'runtime', body })
  }

  async #importSession(line: number, { id, policy }: Session): Promise<void> {
    if (policy === 'pin') this.#report.skip('session')
    else await this.#send({ line, what: 'sessions', method: 'POST', path: 'sessions', body: { id, policy } })
  }

  async #importEvent(line: number, { user: _, detail, ...data }: Readonly<Record<string, unknown>>): Promise<void> {
    const event = { line, what: 'events', type: 'import:event', detail: String(detail ?? ''), data }
    await this.#record({ ...event, idempotencyKey: `import:${data.id}` })
  }

  async #importNote(line: number, { id, at, actor, text }: ExportedNote): Promise<void> {
    const body = { text, reason: `${this.#reason}, written ${at} by ${actor}` }
    const idempotencyKey = `import:${id}`
    await this.#send({ line, what: 'notes', method: 'POST', path: 'notes', body, idempotencyKey })
  }

  async #importBond(line: number, bond: Bond): Promise<void> {
    const overrides = this.#differingFields(bond, ['phase', 'riskLevel'])
    const peaks = Object.fromEntries(Object.entries(bond.peaks ?? {}).map(([node, { value }]) => [node, value]))
    const detection = {
      ...this.#differingFields(bond, ['archetype', 'eggStatus', 'turnCount']),
      ...(Object.keys(peaks).length === 0 ? {} : { peaks }),
    }
    const timeZone = this.#differingFields(bond, ['timeZone'])
    if (Object.keys(timeZone).length > 0) {
      await this.#send({ line, what: 'time zone', method: 'PUT', path: 'timezone', body: timeZone })
    }
    // Older exports have no rows of limits.
    if (bond.capOrigin === 'user' && !this.#hasDailyLimit) {
      await this.#send({ line, what: 'cap', method: 'PUT', path: 'cap', body: { cap: bond.dailyCap } })
    }
    if (bond.planOrigin === 'user') {
      await this.#send({ line, what: 'plan', method: 'PUT', path: 'plan', body: { plan: bond.plan } })
    }
    if (Object.keys(overrides).length > 0) {
      await this.#send({ line, what: 'labels', method: 'POST', path: 'correct', body: overrides })
    }
    if (Object.keys(detection).length > 0) {
      const body = { ...detection, source: { name: 'import' } }
      await this.#send({ line, what: 'measures', method: 'POST', path: 'detections', body })
    }
    if (bond.blocked) {
      const { reason, until } = bond.blocked
      const body = { reason, ...(until === null ? {} : { until }) }
      await this.#send({ line, what: 'block', method: 'PUT', path: 'block', body })
    }
  }

  /** The fields whose value in the file differs from the user's value before the import. */
  #differingFields(bond: Bond, fields: readonly (keyof Bond)[]): Readonly<Record<string, unknown>> {
    const differing = fields.filter((field) => bond[field] !== undefined && bond[field] !== this.#before[field])
    return Object.fromEntries(differing.map((field) => [field, bond[field]]))
  }

  async #sendActions(line: number): Promise<void> {
    if (this.#actions.length === 0) return
    const body = this.#actions
    this.#actions = []
    const rows = { line, what: 'actions', count: body.length }
    const idempotencyKey = `${this.#reason}:${line}`
    await this.#send({ ...rows, method: 'POST', path: 'actions', body, idempotencyKey })
  }

  async #importRecord(type: RecordType, row: ExportLine): Promise<void> {
    if (this.#connection.purser === undefined) return this.#report.skip(type)
    if (this.#records.type !== type) this.#records = { type, lines: [] }
    if (this.#records.lines.push(row) >= RECORDS_PER_CALL) await this.#writeRecords()
  }

  /** All at once; one by one if one of them is not valid, so that the others are imported. */
  async #writeRecords(): Promise<void> {
    const { type, lines } = this.#records
    const { purser } = this.#connection
    if (lines.length === 0 || purser === undefined) return
    this.#records = { type, lines: [] }
    const imports = recordImportsOf(purser.user(this.#id))
    const { call, what } = RECORDS[type]
    const write = async (rows: readonly ExportLine[]): Promise<void> => {
      const written = await imports[call](rows.map(({ row }) => row.value))
      this.#report.take(what, written)
      if (type === 'counter') this.#report.skip(type, rows.length - written)
    }
    try {
      await write(lines)
    } catch (error) {
      if (!PurserError.is(error, 'argument_invalid')) throw error
      for (const row of lines) await this.#report.attempt({ line: row.line, what, count: 0 }, () => write([row]))
    }
  }

  async #send({ method, path, body, idempotencyKey, ...rows }: ImportCall): Promise<void> {
    const headers = {
      'x-purser-reason': this.#reason,
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    }
    await this.#report.attempt(rows, () =>
      this.#connection.request(method, ['users', this.#id, ...[path].flat()], { body, headers }),
    )
  }

  async #record({ line, what, type, ...options }: ImportEvent): Promise<void> {
    const { purser, actor } = this.#connection
    if (purser !== undefined) {
      const { ledger } = purser.user(this.#id)
      const record = () => ledger.record(type, { ...options, actor })
      await this.#report.attempt({ line, what }, record)
    } else if (what === 'events') this.#report.skip('event')
  }
}
