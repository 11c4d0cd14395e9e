import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { ExportRow } from 'purser'
import { UsageError } from './command.ts'

/** One line of a file of exports. */
export interface ExportLine {
  /** From 1. */
  readonly line: number
  readonly row: ExportRow
}

/** Whose export begins here. */
export interface ExportHeader {
  readonly format: number
  readonly namespace: string
  readonly user: string
}

export interface Survey {
  readonly rows: number
  /** SHA-256 of the file's rows, in hex: what the log names as the origin of what was imported. */
  readonly digest: string
}

const FORMAT = 1
const MAX_LINE_CHARACTERS = 67_108_864

/**
 * Reads a whole file of exports before anything of it is used: every line, that each export has its end, and that it
 * holds as many rows as it says. Undefined when the file does not begin with an export at all.
 */
export async function surveyExports(path: string, signal: AbortSignal): Promise<Survey | undefined> {
  const digest = createHash('sha256')
  let rows = 0
  let counts: Map<string, number> | undefined
  for await (const { line, text } of linesOf(path, signal)) {
    const row = rowIn(text)
    if (rows === 0 && row?.part !== 'header') return undefined
    if (row === undefined) throw broken(line, 'It is not a row of an export.')
    if ((row.part === 'header') !== (counts === undefined)) {
      throw broken(
        line,
        counts === undefined ? 'A row stands outside of an export.' : 'The export before it has no end.',
      )
    }
    if (row.part === 'header') {
      checkHeader(headerOf(row), line)
      counts = new Map()
    } else if (row.part === 'end') {
      checkCounts(row.value, counts ?? new Map(), line)
      counts = undefined
    } else counts?.set(row.type, (counts.get(row.type) ?? 0) + 1)
    digest.update(text).update('\n')
    rows += 1
  }
  if (counts !== undefined)
    throw new UsageError(`${path} is cut off: its last export has no end. Nothing was imported.`)
  return rows === 0 ? undefined : { rows, digest: digest.digest('hex') }
}

/** The rows of a file that was surveyed. */
export async function* readExports(path: string, signal: AbortSignal): AsyncGenerator<ExportLine> {
  for await (const { line, text } of linesOf(path, signal)) {
    const row = rowIn(text)
    if (row === undefined) throw broken(line, 'The file has changed meanwhile.')
    yield { line, row }
  }
}

export function headerOf({ value }: ExportRow): Partial<ExportHeader> {
  return typeof value === 'object' && value !== null ? value : {}
}

async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<{ line: number; text: string }> {
  let line = 0
  for await (const text of createInterface({ input: createReadStream(path, { signal }), crlfDelay: Infinity })) {
    line += 1
    if (text.length > MAX_LINE_CHARACTERS) throw broken(line, 'It is longer than any row can be.')
    if (text.trim() !== '') yield { line, text }
  }
}

function rowIn(text: string): ExportRow | undefined {
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch {
    return undefined
  }
  const { part, type } = (typeof row === 'object' && row !== null ? row : {}) as Partial<ExportRow>
  return typeof part === 'string' && typeof type === 'string' ? (row as ExportRow) : undefined
}

function checkHeader({ format, user }: Partial<ExportHeader>, line: number): void {
  if (typeof user !== 'string') throw broken(line, 'The header names no user.')
  if (format !== FORMAT) throw broken(line, `This Purser reads format ${FORMAT} of exports, and this is ${format}.`)
}

function checkCounts(told: unknown, counted: ReadonlyMap<string, number>, line: number): void {
  const said = Object.entries(typeof told === 'object' && told !== null ? told : {})
  const same = said.length === counted.size && said.every(([type, count]) => counted.get(type) === count)
  if (!same) throw broken(line, 'The export does not hold as many rows as it says.')
}

function broken(line: number, why: string): UsageError {
  return new UsageError(`Line ${line} cannot be imported: ${why} Nothing was imported.`)
}
