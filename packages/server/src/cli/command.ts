import type { ParseArgsOptionsConfig } from 'node:util'
import { SETTINGS } from '../config/settings.ts'
import type { Terminal } from './terminal.ts'

/** One subcommand of `purser`. */
export interface Command {
  /** One word, or two for a family: `keys create`. */
  readonly name: string
  /** What follows the name, as in `ID [N|unlimited|default]`. */
  readonly operands: string
  readonly summary: string
  /** How many operands it takes. */
  readonly takes: readonly [least: number, most: number]
  readonly flags: Flags
  /** Resolves with the exit code. */
  run(call: Call): Promise<ExitCode>
}

export type Flags = Readonly<Record<string, Flag>>

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly help: string
}

export interface Call {
  readonly operands: readonly string[]
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly terminal: Terminal
}

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  found: 6,
  unreachable: 7,
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The command was called in a way it does not understand. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was named does not exist. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
}

/** What is there already, or in use, stands in the way. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'
}

/** Flags of every command. */
export const GENERAL_FLAGS: Flags = {
  json: { type: 'boolean', help: 'print JSON' },
  help: { type: 'boolean', help: 'print this' },
  config: { type: 'string', help: 'the configuration file (default purser.config.json)' },
}

/** Flags that stand above the environment and the file. */
export const SETTING_FLAGS: Flags = Object.fromEntries(
  SETTINGS.map((setting) => [
    setting.flag,
    { type: setting.reads === 'boolean' ? 'boolean' : 'string', help: setting.help } as const,
  ]),
)

/** Flags of commands that may work through a server. */
export const REMOTE_FLAGS: Flags = {
  url: { type: 'string', help: 'the address of a running server (or PURSER_URL); else the configured store is opened' },
  key: { type: 'string', help: 'the key to use with --url (or PURSER_KEY, PURSER_ADMIN_KEY)' },
}

/** Of what may not be undone or has to be answered for. */
export const REASON: Flags = { reason: { type: 'string', help: 'why; stands in the log' } }
export const CONFIRM: Flags = { confirm: { type: 'string', help: 'the id again, instead of being asked for it' } }

/** A URL would take these out of its path, and another address would be called. */
export function requireSegment(id: string): void {
  if (['', '.', '..'].includes(id)) throw new UsageError("An id is 1 to 256 bytes of text, and not '.' or '..'.")
}

export function parserOptions(flags: Flags): ParseArgsOptionsConfig {
  return Object.fromEntries(Object.entries(flags).map(([name, { type }]) => [name, { type }]))
}

export function text(flag: string | boolean | undefined): string | undefined {
  return typeof flag === 'string' ? flag : undefined
}
