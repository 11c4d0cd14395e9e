import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { ExportRow } from 'purser'
import { UsageError } from './errors.ts'

/** One row of an export file. */
export interface ExportLine {
  /** Line number, from 1. */
  readonly line: number
  readonly row: ExportRow
}

/** The value of the first row of an export. */
export interface ExportHeader {
  readonly format: number
  readonly namespace: string
  readonly user: string
}

export interface ExportSummary {
  readonly rows: number
  /** SHA-256 of the rows, in hexadecimal. The event log names it as the origin of an import. */
  readonly digest: string
}

const FORMAT = 1
const MAX_LINE_CHARACTERS = 67_108_864

/**
 * Validates a whole export file before any of it is imported: every line is a row, every export has an end, and holds
 * as many rows as its end says. Returns undefined when the file does not start with an export.
 */
export async function validateExportFile(path: string, signal: AbortSignal): Promise<ExportSummary | undefined> {
  const digest = createHash('sha256')
  const validator = new ExportValidator()
  let rows = 0
  for await (const { line, text } of readLines(path, signal)) {
    const row = parseRow(text)
    if (rows === 0 && row?.part !== 'header') return undefined
    if (row === undefined) throw invalidLine(line, 'not a row of an export.')
    validator.push(row, line)
    digest.update(text).update('\n')
    rows += 1
  }
  if (validator.isOpen) throw new UsageError(`${path} is truncated: its last export has no end. Nothing was imported.`)
  return rows === 0 ? undefined : { rows, digest: digest.digest('hex') }
}

/** The rows of a validated file. */
export async function* readExportFile(path: string, signal: AbortSignal): AsyncGenerator<ExportLine> {
  for await (const { line, text } of readLines(path, signal)) {
    const row = parseRow(text)
    if (row === undefined) throw invalidLine(line, 'the file has changed during the import.')
    yield { line, row }
  }
}

export function getHeader({ value }: ExportRow): Partial<ExportHeader> {
  return typeof value === 'object' && value !== null ? value : {}
}

/** Checks the order and the counts of the rows of one file. */
class ExportValidator {
  /** Rows by type since the last header; undefined outside an export. */
  #counts: Map<string, number> | undefined

  get isOpen(): boolean {
    return this.#counts !== undefined
  }

  push(row: ExportRow, line: number): void {
    const counts = this.#counts
    if (row.part === 'header') {
      if (counts !== undefined) throw invalidLine(line, 'the previous export has no end.')
      validateHeader(getHeader(row), line)
      this.#counts = new Map()
      return
    }
    if (counts === undefined) throw invalidLine(line, 'a row outside of an export.')
    if (row.part === 'end') {
      validateCounts(row.value, counts, line)
      this.#counts = undefined
    } else counts.set(row.type, (counts.get(row.type) ?? 0) + 1)
  }
}

/** Lines end at a line feed and nowhere else: JSON may contain other separators as they are. */
async function* readLines(path: string, signal: AbortSignal): AsyncGenerator<{ line: number; text: string }> {
  let line = 0
  let rest = ''
  for await (const chunk of createReadStream(path, { signal, encoding: 'utf8' })) {
    const lines = (chunk as string).split('\n')
    lines[0] = rest + lines[0]
    rest = lines.pop() as string
    if (rest.length > MAX_LINE_CHARACTERS) throw invalidLine(line + lines.length + 1, 'the line is too long.')
    for (const text of lines) {
      line += 1
      if (text.trim() !== '') yield { line, text: text.trim() }
    }
  }
  if (rest.trim() !== '') yield { line: line + 1, text: rest.trim() }
}

function parseRow(text: string): ExportRow | undefined {
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch {
    return undefined
  }
  const { part, type } = (typeof row === 'object' && row !== null ? row : {}) as Partial<ExportRow>
  return typeof part === 'string' && typeof type === 'string' ? (row as ExportRow) : undefined
}

function validateHeader({ format, user }: Partial<ExportHeader>, line: number): void {
  if (typeof user !== 'string') throw invalidLine(line, 'the header names no user.')
  if (format !== FORMAT)
    throw invalidLine(line, `unsupported export format ${format}; this version reads format ${FORMAT}.`)
}

function validateCounts(value: unknown, counts: ReadonlyMap<string, number>, line: number): void {
  const expected = Object.entries(typeof value === 'object' && value !== null ? value : {})
  const isEqual = expected.length === counts.size && expected.every(([type, count]) => counts.get(type) === count)
  if (!isEqual) throw invalidLine(line, 'the export does not contain the number of rows that its end states.')
}

function invalidLine(line: number, problem: string): UsageError {
  return new UsageError(`Cannot import line ${line}: ${problem} Nothing was imported.`)
}
