import type { ParseArgsOptionsConfig } from 'node:util'
import { SETTINGS } from '../config/settings.ts'

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly help: string
}

export type Flags = Readonly<Record<string, Flag>>

/** Flags of every command. */
export const GENERAL_FLAGS: Flags = {
  json: { type: 'boolean', help: 'print JSON' },
  help: { type: 'boolean', help: 'print this help' },
  config: { type: 'string', help: 'configuration file (default purser.config.json)' },
}

/** Settings as flags; they take precedence over the environment and the file. */
export const SETTING_FLAGS: Flags = Object.fromEntries(
  SETTINGS.map((setting) => [
    setting.flag,
    { type: setting.kind === 'boolean' ? 'boolean' : 'string', help: setting.help } as const,
  ]),
)

/** Flags of commands that work on a running server or on the configured store. */
export const REMOTE_FLAGS: Flags = {
  url: { type: 'string', help: 'URL of a running server (or PURSER_URL); without it the configured store is opened' },
  key: { type: 'string', help: 'API key for --url (or PURSER_KEY, PURSER_ADMIN_KEY)' },
  actor: {
    type: 'string',
    help: 'your name in the event log (default the user of the system); with --url the name of the key',
  },
}

/** Flags of commands that work on this machine only. */
export const LOCAL_FLAGS: Flags = { ...GENERAL_FLAGS, ...SETTING_FLAGS }
/** Flags of commands that use the management API of a running server or of the configured store. */
export const API_FLAGS: Flags = { ...LOCAL_FLAGS, ...REMOTE_FLAGS }

export const REASON_FLAG: Flags = { reason: { type: 'string', help: 'reason, recorded in the event log' } }
export const CONFIRM_FLAG: Flags = { confirm: { type: 'string', help: 'the id, instead of typing it when asked' } }

export function toParseArgsOptions(flags: Flags): ParseArgsOptionsConfig {
  return Object.fromEntries(Object.entries(flags).map(([name, { type }]) => [name, { type }]))
}

/** The value of a text flag; undefined when it is absent. */
export function getText(flag: string | boolean | undefined): string | undefined {
  return typeof flag === 'string' ? flag : undefined
}
