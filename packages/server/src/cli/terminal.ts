import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'

/** Where a command talks: data goes to stdout, everything said about it to stderr. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable & { readonly isTTY?: boolean }
  readonly talk: Writable & { readonly isTTY?: boolean }
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly directory: string
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal
}

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const
export type Style = keyof typeof STYLES

export function say(terminal: Terminal, line: string): void {
  terminal.talk.write(`${line}\n`)
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.output.write(`${JSON.stringify(value)}\n`)
}

export function print(terminal: Terminal, line: string): void {
  terminal.output.write(`${line}\n`)
}

/** Colours text for a terminal; `NO_COLOR` and pipes get it plain. */
export function styled(terminal: Terminal, style: Style, text: string): string {
  const plain = terminal.output.isTTY !== true || (terminal.environment.NO_COLOR ?? '') !== ''
  const [on, off] = STYLES[style]
  return plain ? text : `\x1b[${on}m${text}\x1b[${off}m`
}

/** Rows under a header, in columns as wide as their widest value. */
export function printTable(terminal: Terminal, header: readonly string[], rows: readonly (readonly unknown[])[]): void {
  const cells = rows.map((row) => row.map((value) => safe(value === null || value === undefined ? '–' : String(value))))
  const widths = header.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  print(terminal, styled(terminal, 'dim', line(header)))
  for (const row of cells) print(terminal, line(row))
}

/** Control characters of stored text must not steer the terminal. */
export function safe(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Asks for a line; undefined when nobody sits at the terminal. */
export async function ask(terminal: Terminal, question: string): Promise<string | undefined> {
  if (terminal.input.isTTY !== true) return undefined
  const reader = createInterface({ input: terminal.input, output: terminal.talk })
  try {
    return await reader.question(question, { signal: terminal.interrupted })
  } finally {
    reader.close()
  }
}

/** Everything on stdin, at most a megabyte. */
export async function readInput(terminal: Terminal): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of terminal.input) {
    const part = Buffer.from(chunk as Uint8Array)
    bytes += part.length
    if (bytes > 1_048_576) throw new RangeError('The input is longer than a megabyte.')
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString()
}
