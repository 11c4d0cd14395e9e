import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'
import { escapeControls, escapeLines } from '../app/escape-controls.ts'

/** The process as a command sees it. Data goes to stdout, messages go to stderr. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The working directory. */
  readonly directory: string
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
}

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const
type Style = keyof typeof STYLES

const MAX_INPUT_BYTES = 1_048_576

/** Writes a line to stdout. What could control the terminal is escaped. */
export function print(terminal: Terminal, line: string): void {
  terminal.stdout.write(`${render(line)}\n`)
}

/** Writes a value as one line of JSON to stdout. */
export function printJson(terminal: Terminal, value: unknown): void {
  print(terminal, JSON.stringify(value))
}

/** Writes a line to stderr. What could control the terminal is escaped. */
export function printMessage(terminal: Terminal, line: string): void {
  terminal.stderr.write(`${render(line)}\n`)
}

/** Colors text. Leaves it plain when `NO_COLOR` is set or stdout is not a terminal. */
export function applyStyle(terminal: Terminal, style: Style, text: string): string {
  const safe = escapeControls(text)
  const isPlain = terminal.stdout.isTTY !== true || (terminal.environment.NO_COLOR ?? '') !== ''
  const [on, off] = STYLES[style]
  return isPlain ? safe : `${MARK}${on}${MARK_END}${safe}${MARK}${off}${MARK_END}`
}

/** Noncharacters, which escaped text does not contain. They become escape sequences after everything else is escaped. */
const MARK = '\uFDD0'
const MARK_END = '\uFDD1'
const MARKED = /\uFDD0(\d{1,2})\uFDD1/

function render(line: string): string {
  return line
    .split(MARKED)
    .map((part, index) => (index % 2 === 0 ? escapeLines(part) : `\x1b[${part}m`))
    .join('')
}

/** Writes a table to stdout, with columns as wide as their widest value. */
export function printTable(terminal: Terminal, header: readonly string[], rows: readonly (readonly unknown[])[]): void {
  const cells = rows.map((row) =>
    row.map((value) => escapeControls(value === null || value === undefined ? '–' : String(value))),
  )
  const widths = header.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const format = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  print(terminal, applyStyle(terminal, 'dim', format(header)))
  for (const row of cells) print(terminal, format(row))
}

/** Asks for a line on the terminal; undefined when stdin is not a terminal. */
export async function prompt(terminal: Terminal, question: string): Promise<string | undefined> {
  if (terminal.stdin.isTTY !== true) return undefined
  const reader = createInterface({ input: terminal.stdin, output: terminal.stderr })
  try {
    return await reader.question(escapeControls(question), { signal: terminal.signal })
  } finally {
    reader.close()
  }
}

/** All of stdin. Throws a `RangeError` beyond 1 MiB. */
export async function readStdin(terminal: Terminal): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of terminal.stdin) {
    const part = Buffer.from(chunk as Uint8Array)
    bytes += part.length
    if (bytes > MAX_INPUT_BYTES) throw new RangeError('The input is larger than 1 MiB.')
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString()
}

/** A number with its noun: `1 event`, `2 events`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
